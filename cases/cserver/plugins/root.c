/* LINK: -lm */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
void answer(const char *argument, FILE *out) { fprintf(out, "%.6f\n", cbrt(atof(argument))); }
