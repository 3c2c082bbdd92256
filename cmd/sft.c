/* sft: fine-tune a model on conversations. */
#include "base/prog.h"
#include "kern/gemm.h"
#include "train/sft.h"

static struct train_options o = TRAIN_OPTIONS_INIT;
static struct sft f = {.docs = DOCS_OPT_INIT};

static struct opt opts[] = {
    {.kind = OPT_TITLE, .help = "Model and data"},
    {.kind = OPT_STR,
     .letter = 'm',
     .name = "model",
     .dst = &f.model,
     .arg = "DIR",
     .shapes_output = true,
     .help = "the model to start from, with its tokenizer"},
    {.kind = OPT_STR,
     .name = "val",
     .dst = &f.val,
     .arg = "FILE|P%",
     .shapes_output = true,
     .help = "validate on a file of conversations, or hold out P percent of them"},
    {.kind = OPT_FLAG,
     .name = "truncate",
     .dst = &f.truncate,
     .shapes_output = true,
     .help = "shorten a conversation that is longer than the context"},
    {.kind = OPT_CHOICE,
     .name = "on-error",
     .dst = &f.docs.on_error,
     .arg = "stop|skip|replace",
     .choices = on_error_words,
     .shapes_output = true,
     .help = "what to do with a record that cannot be used (default {})"},
    {.kind = OPT_STR,
     .name = "rejected",
     .dst = &f.docs.rejected,
     .arg = "FILE",
     .help = "write the records that were skipped to FILE"},
    TRAIN_OPTIONS(&o, "1024", "3", "1e-4"),
    OPT_END,
};

int main(int argc, char **argv)
{
    struct err e = {0};
    struct prog prog = {.name = "sft",
                        .purpose = "fine-tune a model on conversations",
                        .synopsis = "-m DIR -o RUN [options] [FILE.jsonl...]\n"
                                    "--resume -o RUN\n",
                        .opts = opts};
    struct session s = {.o = &o, .table = opts, .prog = &prog};

    o.gemm = gemm_backend_default();
    if (!prog_begin(&prog, argc, argv, &e))
        return prog_end(&prog, -1, &e);
    prog.quiet = o.quiet;
    prog.verbose = o.verbose;
    int rc = sft_run(&f, prog.operands, prog.n_operands, &s, &e);
    return prog_end(&prog, rc, &e);
}
