/* model: what a model is made of, what it costs, and how fast it runs. See model(1). */
#include <unistd.h>

#include "base/buf.h"
#include "base/prog.h"
#include "infer/modeldir.h"
#include "model/subcommand.h"

int model_load_config(const char *path, struct config *c, struct err *e)
{
    struct buf file = BUF_INIT, dir = BUF_INIT;
    bool preset;
    int rc = -1;

    if (config_find(path, &file, &preset, e) < 0)
        goto done;
    if (!preset && access(path, X_OK) == 0 && access(file.s, F_OK) < 0 &&
        modeldir_find(path, &dir, e) < 0)
        goto done;
    rc = config_load(c, dir.len ? dir.s : path, e);
done:
    buf_release(&file);
    buf_release(&dir);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct prog_sub subs[] = {
        {"bench", "speed of training, reading and writing, beside the machine's peaks",
         model_bench},
        {"info", "parameters, FLOPs, memory and the amount of text that suits", model_info},
        {NULL, NULL, NULL},
    };
    return prog_subcommands("model", "tell about models", subs, argc, argv);
}
