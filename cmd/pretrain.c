/* pretrain: train a language model on token shards. */
#include "base/prog.h"
#include "kern/gemm.h"
#include "train/pretrain.h"

static struct train_options o = TRAIN_OPTIONS_INIT;
static struct pretrain p;

static struct opt opts[] = {
    {.kind = OPT_TITLE, .help = "Model and data"},
    {.kind = OPT_STR,
     .letter = 'c',
     .name = "config",
     .dst = &p.config,
     .arg = "CONFIG",
     .shapes_output = true,
     .help = "a config.json, a directory with one, or a preset (model info lists them)"},
    {.kind = OPT_STR,
     .name = "init",
     .dst = &p.init,
     .arg = "DIR",
     .shapes_output = true,
     .help = "start from the model in DIR instead of random weights"},
    {.kind = OPT_STR,
     .letter = 't',
     .name = "tokenizer",
     .dst = &p.tokenizer,
     .arg = "FILE",
     .shapes_output = true,
     .help = "tokenizer.json of the data (default: what the shard carries)"},
    {.kind = OPT_STR,
     .name = "bos",
     .dst = &p.bos,
     .arg = "TOKEN",
     .utf8 = true,
     .shapes_output = true,
     .help = "token that begins a document; none (default: the shard's)"},
    {.kind = OPT_STR,
     .name = "eos",
     .dst = &p.eos,
     .arg = "TOKEN",
     .utf8 = true,
     .shapes_output = true,
     .help = "token that ends a document; none (default: the shard's)"},
    {.kind = OPT_STR,
     .name = "pad",
     .dst = &p.pad,
     .arg = "TOKEN",
     .utf8 = true,
     .shapes_output = true,
     .help = "padding token; none (default: the shard's)"},
    {.kind = OPT_STR,
     .name = "val",
     .dst = &p.val,
     .arg = "FILE|P%",
     .shapes_output = true,
     .help = "validate on a shard, or hold out P percent of the data"},
    {.kind = OPT_CHOICE,
     .name = "order",
     .dst = &p.order,
     .arg = "shuffle|stream",
     .choices = pretrain_order_words,
     .shapes_output = true,
     .help = "order of the windows: permuted each epoch, or as they come (default {})"},
    {.kind = OPT_FLAG,
     .name = "stream",
     .dst = &p.stream,
     .shapes_output = true,
     .help = "train while reading, without a spool; needs --steps or --tokens"},
    TRAIN_OPTIONS(&o, "4096", "1", "6e-4"),
    OPT_END,
};

int main(int argc, char **argv)
{
    struct err e = {0};
    struct prog prog = {.name = "pretrain",
                        .purpose = "train a language model on token shards",
                        .synopsis = "-c CONFIG|PRESET -o RUN [options] [x.tok...]\n"
                                    "--init DIR -o RUN [options] [x.tok...]\n"
                                    "--resume -o RUN\n",
                        .opts = opts};
    struct session s = {.o = &o, .table = opts, .prog = &prog};

    o.gemm = gemm_backend_default();
    if (!prog_begin(&prog, argc, argv, &e))
        return prog_end(&prog, -1, &e);
    prog.quiet = o.quiet;
    prog.verbose = o.verbose;
    int rc = pretrain_run(&p, prog.operands, prog.n_operands, &s, &e);
    return prog_end(&prog, rc, &e);
}
