/* What a model's file may ask of a toy source: its configuration, from which the same rows come. */
#include "source/toy_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static fmatch_source *create(fmatch_context *context, const fmatch_toy_config *config)
{
    fmatch_source *source;
    assert_int_equal(fmatch_source_create_toy(&source, context, config), FMATCH_OK);
    return source;
}

static void the_configuration_gives_the_same_rows(void **state)
{
    (void)state;
    fmatch_context *context;
    assert_int_equal(fmatch_context_create(&context, NULL), FMATCH_OK);
    fmatch_toy_config config;
    fmatch_toy_config_init(&config);
    config.kind = FMATCH_TOY_EIGHT_GAUSSIANS;
    config.convention = FMATCH_TOY_FFJORD;
    config.labels = 1;
    fmatch_source *first = create(context, &config);

    const fmatch_toy_config kept = *toy_source_config(first);
    assert_int_equal(kept.struct_size, sizeof kept);
    assert_int_equal(kept.kind, FMATCH_TOY_EIGHT_GAUSSIANS);
    assert_int_equal(kept.convention, FMATCH_TOY_FFJORD);
    assert_int_equal(kept.labels, 1);
    assert_true(kept.noise == 0.5); /* the convention's, as a number */

    fmatch_source *second = create(context, &kept);
    float x[200], y[200];
    assert_int_equal(fmatch_source_draw(first, 3, 0, 100, x), FMATCH_OK);
    assert_int_equal(fmatch_source_draw(second, 3, 0, 100, y), FMATCH_OK);
    assert_memory_equal(x, y, sizeof x);

    fmatch_source *normal;
    assert_int_equal(fmatch_source_create_normal(&normal, context, 2), FMATCH_OK);
    assert_null(toy_source_config(normal));
    fmatch_source_destroy(&normal);
    fmatch_source_destroy(&second);
    fmatch_source_destroy(&first);
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_configuration_gives_the_same_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
