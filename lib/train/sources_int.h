/* What sources.c and sources_doc.c share. */
#ifndef TRAIN_SOURCES_INT_H
#define TRAIN_SOURCES_INT_H

#include "train/sources.h"

/* Opens the inputs; none: stdin. Sets what their headers say. */
int sources_open_inputs(struct sources *d, char *const *paths, int n, struct err *e);

#endif
