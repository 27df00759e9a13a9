/* One process of resume.py:
 *
 *     resume_training SCENARIO THREADS STEPS CHECKPOINT MODEL [LOAD]
 *
 * goes on from the checkpoint LOAD, if one is named, trains, and saves checkpoint and model. */
#include "../api/training_scenarios.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(call)                                                                                \
    do {                                                                                           \
        const fmatch_status status = (call);                                                       \
        if (status != FMATCH_OK) {                                                                 \
            fprintf(stderr, "%s: %s (%s)\n", #call, fmatch_status_get_name(status),                \
                    fmatch_error_detail());                                                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const struct scenario_row *find(const char *name)
{
    for (int i = 0; i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    fprintf(stderr, "no scenario is called %s\n", name);
    exit(2);
}

int main(int count, char **words)
{
    if (count < 2) {
        for (int i = 0; i < SCENARIOS; i++)
            puts(scenarios[i].name);
        return 0;
    }
    if (count < 6)
        return 2;
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = atoi(words[2]);
    fmatch_context *context;
    CHECK(fmatch_context_create(&context, &config));
    struct scenario scenario;
    struct scenario_handles h;
    scenario_init(&scenario, find(words[1]));
    CHECK(scenario_create(&h, context, &scenario));
    if (count > 6)
        CHECK(fmatch_trainer_load(h.trainer, words[6]));
    CHECK(fmatch_trainer_run(h.trainer, atoi(words[3]), NULL));
    CHECK(fmatch_trainer_save(h.trainer, words[4]));
    CHECK(fmatch_model_save(h.model, words[5]));
    scenario_destroy(&h);
    fmatch_context_destroy(&context);
    return 0;
}
