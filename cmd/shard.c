/* shard: tells about token shards and makes shards from shards. */
#include <string.h>
#include "base/compiler.h"
#include "base/signals.h"
#include "shard/subcommand.h"

static const struct sub *const subs[] = {
    &sub_info,  &sub_check,   &sub_stat, &sub_cat,    &sub_head_docs,
    &sub_split, &sub_shuffle, &sub_mix,  &sub_import, &sub_export,
};

static int run(int argc, char **argv)
{
    size_t i = 0;
    struct err e = {0};
    while (strcmp(subs[i]->name, argv[0]) != 0)
        i++;
    struct prog p = {.name = subs[i]->full,
                     .purpose = subs[i]->purpose,
                     .synopsis = subs[i]->synopsis,
                     .opts = subs[i]->opts};
    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = given.quiet;
    p.verbose = given.verbose;
    sig_cleanup();
    return prog_end(&p, subs[i]->body(&p, &e), &e);
}

int main(int argc, char **argv)
{
    struct prog_sub list[ARRAY_LEN(subs) + 1] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(subs); i++)
        list[i] = (struct prog_sub){subs[i]->name, subs[i]->purpose, run};
    return prog_subcommands("shard", "tell about token shards and make new ones of them", list,
                            argc, argv);
}
