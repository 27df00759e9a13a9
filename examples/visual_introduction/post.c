#include "post.h"

#include <math.h>

const float post_weights[POST_COMPONENTS] = {0.55f, 0.45f};
const float post_means[POST_COMPONENTS] = {-0.85f, 1.5f};
const float post_stds[POST_COMPONENTS] = {0.65f, 0.25f};

const double post_mean = 0.2075;
const double post_variance = 1.62731875;

const double density_reach = 2.5;

const float post_path_start = 0.85f;
const double post_path_published[POST_PATH_TIMES] = {0.850, 0.805, 0.767, 0.738, 0.719, 0.716,
                                                     0.731, 0.769, 0.830, 0.909, 0.999, 1.095,
                                                     1.192, 1.288, 1.384, 1.481};

static void configure_network(fmatch_mlp_config *config, uint64_t seed)
{
    fmatch_mlp_config_init_preset(config, FMATCH_PRESET_PLAIN);
    config->seed = seed;
    config->dim = 1;
    config->hidden_layers = 2;
    config->hidden_width = 64;
    config->activation = FMATCH_ACTIVATION_GELU;
    config->data_mean = NULL; /* raw data: the noise is N(0, 1) */
    config->data_std = NULL;
}

static void configure_optimizer(fmatch_adam_config *config)
{
    fmatch_adam_config_init_preset(config, FMATCH_PRESET_PLAIN);
    config->learning_rate = 1e-3;
    config->beta1 = 0.9;
    config->beta2 = 0.999;
    config->epsilon = 1e-8;
}

static void configure_trainer(fmatch_trainer_config *config, uint64_t seed)
{
    fmatch_trainer_config_init_preset(config, FMATCH_PRESET_PLAIN);
    config->batch = 256;
    config->seed = seed;
}

void post_configure_plain(struct post_settings *settings, uint64_t seed)
{
    configure_network(&settings->network, seed);
    configure_optimizer(&settings->optimizer);
    configure_trainer(&settings->trainer, seed);
}

void post_configure_recommended(struct post_settings *settings, uint64_t seed, int64_t steps,
                                const fmatch_source *noise, const fmatch_source *target)
{
    fmatch_mlp_config_init(&settings->network);
    settings->network.seed = seed;
    settings->network.noise = noise;
    settings->network.data = target;
    fmatch_adam_config_init(&settings->optimizer);
    fmatch_trainer_config_init(&settings->trainer);
    settings->trainer.seed = seed;
    settings->trainer.steps = steps > 0 ? steps : 1;
}

static double cumulative_probability(double x)
{
    double sum = 0;
    for (int k = 0; k < POST_COMPONENTS; k++)
        sum += post_weights[k] * 0.5 * erfc((post_means[k] - x) / (post_stds[k] * sqrt(2.0)));
    return sum;
}

void post_exact_quantiles(int64_t n, float *quantiles)
{
    double low = -8;

    for (int64_t i = 0; i < n; i++) {
        double probability = ((double)i + 0.5) / (double)n, high = 8;
        /* low stays below this quantile and so below the next one. */
        while (high - low > 1e-9) {
            double middle = 0.5 * (low + high);
            if (cumulative_probability(middle) < probability)
                low = middle;
            else
                high = middle;
        }
        quantiles[i] = (float)(0.5 * (low + high));
    }
}
