/* The subcommands of model, a file for each, and what they share. */
#ifndef MODEL_SUBCOMMAND_H
#define MODEL_SUBCOMMAND_H

#include "model/config.h"

int model_info(int argc, char **argv);
int model_bench(int argc, char **argv);

/* The config of a model directory, a run (its newest checkpoint's), a file, or a preset. */
int model_load_config(const char *path, struct config *c, struct err *e);

#endif
