/** The numbers of a run, chapter by chapter, as HTML. */
#ifndef EXAMPLES_PAGE_NUMBERS_H
#define EXAMPLES_PAGE_NUMBERS_H

#include "findings.h"
#include <stdio.h>

void write_target_numbers(FILE *stream, const struct findings *findings);
void write_pair_numbers(FILE *stream, const struct findings *findings);
void write_example_numbers(FILE *stream, const struct findings *findings);
void write_average_numbers(FILE *stream, const struct findings *findings);
void write_loss_numbers(FILE *stream, const struct findings *findings);
void write_field_numbers(FILE *stream, const struct findings *findings);
void write_path_numbers(FILE *stream, const struct findings *findings);
void write_reconstruction_numbers(FILE *stream, const struct findings *findings);
void write_crowd_numbers(FILE *stream, const struct findings *findings);
void write_error_numbers(FILE *stream, const struct findings *findings);
void write_solver_numbers(FILE *stream, const struct findings *findings);
void write_settings_numbers(FILE *stream, const struct findings *findings);

#endif
