/* The C++ header in use: training on a function of the caller's, cancelling, exceptions that cross
 * the C library, sampling, saving and loading. Prints what went wrong, and ends with its number. */
#include <flowmatch/flowmatch.hpp>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <thread>
#include <type_traits>

/* Defined in another translation unit, which includes the header as well. */
std::int32_t dim_seen_elsewhere(const flowmatch::source &source);

namespace
{

int failures = 0;

template <class Seen, class Wanted>
void expect(bool holds, const char *what, const Seen &seen, const Wanted &wanted)
{
    if (holds)
        return;
    failures++;
    std::cout << what << " is " << seen << "; expected " << wanted << std::endl;
}

template <class Value> void expect_equal(const char *what, const Value &seen, const Value &wanted)
{
    expect(seen == wanted, what, seen, wanted);
}

void expect_close(const char *what, double seen, double wanted, double tolerance)
{
    expect(std::fabs(seen - wanted) <= tolerance, what, seen, wanted);
}

/* The exception of type Exception that the body throws, judged by a function. */
template <class Exception, class Body, class Judge>
void expect_thrown(const char *what, Body body, Judge judge)
{
    try {
        body();
    } catch (const Exception &exception) {
        judge(exception);
        return;
    } catch (const std::exception &exception) {
        expect(false, what, exception.what(), "an exception of another type");
        return;
    }
    expect(false, what, "no exception", "an exception");
}

/* A type that only the test knows: neither copied into another type nor turned into text. */
struct private_failure {
    int number;
};

/* Counts the objects that hold on to it, to see when a callback's captures go. */
struct token {
    explicit token(int *counter) : alive(counter)
    {
        ++*alive;
    }
    token(const token &other) : alive(other.alive)
    {
        ++*alive;
    }
    token &operator=(const token &) = delete;
    ~token()
    {
        --*alive;
    }
    int *alive;
};

flowmatch::source half_moon_of_numbers(const flowmatch::context &context)
{
    /* Two thirds N(-1, 0.25^2), one third N(1, 0.25^2): row by row, so that set_row is used. */
    return flowmatch::source::callback(
        context, 1, [](flowmatch::generator &random, std::int64_t, std::int64_t n, float *x) {
            for (std::int64_t i = 0; i < n; i++) {
                random.set_row(i);
                const float centre = random.integer(3) < 2 ? -1.0f : 1.0f;
                x[i] = centre + 0.25f * random.normal();
            }
        });
}

flowmatch::model small_network(const flowmatch::context &context)
{
    flowmatch::mlp_config config(FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.hidden_layers = 2;
    config.hidden_width = 32;
    config.seed = 3;
    return flowmatch::model::mlp(context, config);
}

void handles_move_and_do_not_copy()
{
    static_assert(!std::is_copy_constructible<flowmatch::model>::value, "a model is not copied");
    static_assert(std::is_nothrow_move_constructible<flowmatch::model>::value, "moves never throw");
    static_assert(std::is_nothrow_move_assignable<flowmatch::trainer>::value, "moves never throw");

    const flowmatch::context context;
    flowmatch::source first = flowmatch::source::normal(context, 3);
    flowmatch::source second = std::move(first);
    expect_equal("a moved-from source", static_cast<bool>(first), false);
    expect_equal("dim after a move", second.dim(), std::int32_t(3));
    expect_equal("dim in another translation unit", dim_seen_elsewhere(second), std::int32_t(3));
    second = flowmatch::source::normal(context, 4);
    expect_equal("dim after an assignment", second.dim(), std::int32_t(4));
}

/* Under v = A x with a trace of 1/2 log-densities fall by 1/2 between noise and data, and x grows
 * by a half in one column and by nothing in the other: in all of them by what the probes say. */
void a_function_gives_its_derivative()
{
    const flowmatch::context context;
    int asked = 0, alive = 0;
    {
        const token held(&alive);
        const flowmatch::model sheared = flowmatch::model::conditional_callback(
            context, 2, 0, false,
            [](std::int64_t n, const float *x, const float *, const float *, float *v) {
                for (std::int64_t i = 0; i < n; i++)
                    v[2 * i] = 0.5f * x[2 * i] + 3 * x[2 * i + 1], v[2 * i + 1] = 0;
            },
            nullptr,
            [held, &asked](std::int64_t n, const float *x, const float *, const float *,
                           const float *u, float *v, float *ju) {
                asked++;
                for (std::int64_t i = 0; i < n; i++) {
                    v[2 * i] = 0.5f * x[2 * i] + 3 * x[2 * i + 1], v[2 * i + 1] = 0;
                    ju[2 * i] = 0.5f * u[2 * i] + 3 * u[2 * i + 1], ju[2 * i + 1] = 0;
                }
            });
        const float x[] = {1, 2, -3, 0.25f};
        double exact[2], seen[2], error[2];
        float x0[4], drawn[4];
        flowmatch::divergence_config probes;
        probes.method = FMATCH_DIVERGENCE_HUTCHINSON;
        probes.probes = 64;
        flowmatch::likelihood_config config;
        flowmatch::evaluate_log_density(sheared, 2, x, exact, config, nullptr, 0, error, x0);
        for (int i = 0; i < 2; i++) {
            const double square = x0[2 * i] * x0[2 * i] + x0[2 * i + 1] * x0[2 * i + 1];
            expect_close("log-density", exact[i], -0.5 * square - std::log(2 * 3.14159265) - 0.5,
                         1e-5);
            expect_equal("error of an exact one", error[i], 0.0);
        }
        config.divergence = &probes;
        flowmatch::evaluate_log_density(sheared, 2, x, seen, config, nullptr, 0, error);
        for (int i = 0; i < 2; i++) /* 3 z1 z2 has the deviation 3 */
            expect_close("error of 64 probes", error[i], 3.0 / 8, 0.1);
        flowmatch::draw_with_log_density(sheared, 3, 0, 2, drawn, seen, config, nullptr, error);
        expect_close("error of 64 probes of samples", error[1], 3.0 / 8, 0.1);
        expect(asked > 0, "calls of the derivative", asked, "more than 0");
        expect_equal("captures while the model lives", alive, 2);
    }
    expect_equal("captures after everything", alive, 0);
}

/* Samples of a closed form, from there and back, and its field on the way. */
void the_density_along_the_flow_is_the_mixtures()
{
    const flowmatch::context context;
    const flowmatch::model exact = flowmatch::model::closed_form(
        context, flowmatch::source::gaussian_mixture(context, 1, {2, 1}, {-1, 1}, {0.5f, 0.75f}));
    flowmatch::likelihood_config config;
    config.steps = 200;
    const flowmatch::weighed_samples drawn =
        flowmatch::draw_with_log_density(exact, 3, 0, 20, config);
    const std::vector<double> given = flowmatch::evaluate_log_density(exact, drawn.x, config);
    const std::vector<double> wanted =
        exact.evaluate_log_density(drawn.x, std::vector<float>(20, 1.0f));
    const std::vector<float> half(20, 0.5f), score = exact.evaluate_score(drawn.x, half),
                                             v = exact.evaluate(drawn.x, half);
    flowmatch::divergence_config probes;
    probes.method = FMATCH_DIVERGENCE_HUTCHINSON; /* exact in one dimension */
    const std::vector<double> divergence = exact.evaluate_divergence(drawn.x, half),
                              probed = exact.evaluate_divergence(drawn.x, half, &probes);
    for (std::size_t i = 0; i < 20; i++) {
        expect_close("log-density of a sample", drawn.log_density[i], wanted[i], 1e-4);
        expect_close("log-density of a point", given[i], wanted[i], 1e-4);
        expect_close("score", score[i], v[i] - 2 * drawn.x[i], 1e-4);
        expect_close("divergence by a probe", probed[i], divergence[i], 1e-9);
    }
    const flowmatch::source::moments noise = exact.get_noise().evaluate_moments();
    expect_equal("mean of the noise", noise.mean[0], 0.0f);
    expect_equal("deviation of the noise", noise.deviation[0], 1.0f);
    /* a cosine path has noise and data alike at t = 1/2, as the linear one, at sqrt(2) times x */
    flowmatch::path_config cosine;
    cosine.kind = FMATCH_PATH_COSINE;
    const double root = std::sqrt(2.0);
    std::vector<float> larger = drawn.x;
    for (std::size_t i = 0; i < 20; i++)
        larger[i] *= static_cast<float>(root);
    const std::vector<float> moved =
        flowmatch::model::rescheduled(exact, cosine).evaluate_score(larger, half);
    for (std::size_t i = 0; i < 20; i++)
        expect_close("score on another schedule", moved[i], score[i] / root, 1e-4);
}

void training_reaches_the_exact_loss()
{
    const flowmatch::context context;
    const flowmatch::source target = half_moon_of_numbers(context);
    const flowmatch::source mixture =
        flowmatch::source::gaussian_mixture(context, 1, {2, 1}, {-1, 1}, {0.25f, 0.25f});
    const double least =
        flowmatch::model::closed_form(context, mixture).evaluate_irreducible_loss();

    flowmatch::model network = small_network(context);
    flowmatch::trainer_config settings;
    settings.steps = 1500;
    flowmatch::trainer trainer(network, flowmatch::optimizer::adam(context), target, settings);
    std::int64_t reports = 0;
    const bool finished = trainer.run(1500, [&](const fmatch_progress_info &info) {
        reports++;
        return info.step < 0;
    });
    expect_equal("run to its end", finished, true);
    expect_equal("reports", reports, std::int64_t(100));
    expect_equal("losses kept", trainer.get_losses().size(), std::size_t(1500));
    expect_close("loss above the irreducible one", trainer.evaluate(9, 65536) - least, 0.025,
                 0.025);

    flowmatch::sampler_config config;
    config.steps = 25;
    flowmatch::sampler sampler(network, config);
    const std::vector<float> samples = sampler.draw(1, 0, 20000);
    double mean = 0;
    for (float x : samples)
        mean += x / static_cast<double>(samples.size());
    expect_close("mean of samples", mean, -1.0 / 3, 0.05);
    const flowmatch::wasserstein_distances distance =
        flowmatch::wasserstein_1d(context, samples, mixture.draw(5, 0, 20000));
    expect(distance.w1 > 0 && distance.w1 < 0.1, "W1 to the target", distance.w1, "below 0.1");
    expect_equal("evaluations a row", sampler.count_evaluations(), std::int64_t(50));

    flowmatch::stochastic_config noise;
    config.stochastic = &noise;
    flowmatch::sampler noisy(network, config);
    expect_close(
        "W1 with noise along the way",
        flowmatch::wasserstein_1d(context, noisy.draw(1, 0, 20000), mixture.draw(5, 0, 20000)).w1,
        0, 0.1);
    const std::vector<float> start(10, 0.5f), known(10, 0.25f);
    expect_equal("rows of a noisy sampler",
                 noisy.integrate_stochastic(0, 0, start) == noisy.integrate(start), true);
    expect_equal("known coordinates", noisy.draw_inpainted(1, 0, known) == known, true);
    config.stochastic = nullptr;

    config.solver = FMATCH_SOLVER_DORMAND_PRINCE;
    config.tolerance_absolute = config.tolerance_relative = 1e-3;
    flowmatch::sampler adaptive(network, config);
    const std::vector<float> others = adaptive.draw(1, 0, 300);
    for (std::size_t i = 0; i < others.size(); i++)
        expect_close("a sample by steps of its own", others[i], samples[i], 0.1);
    std::vector<std::int64_t> evaluations(300);
    fmatch_sampler_rows rows = fmatch_sampler_rows();
    rows.evaluations = evaluations.data();
    adaptive.get_rows(0, 300, rows);
    std::int64_t sum = 0;
    for (std::int64_t count : evaluations)
        sum += count;
    expect_equal("evaluations in all", adaptive.get_info().evaluations, sum);
}

void progress_cancels()
{
    const flowmatch::context context;
    const flowmatch::model network = small_network(context);
    flowmatch::trainer trainer(network, flowmatch::optimizer::sgd(context),
                               half_moon_of_numbers(context));
    const bool finished = trainer.run(
        1000, [](const fmatch_progress_info &info) { return info.step >= 20; }, 10);
    expect_equal("a cancelled run", finished, false);
    expect_equal("steps of a cancelled run", trainer.count_steps(), std::int64_t(20));
    expect_equal("a run after it", trainer.run(5), true);
    expect_equal("steps in all", trainer.count_steps(), std::int64_t(25));
}

void training_has_a_rate_and_a_validation()
{
    const flowmatch::context context;
    const flowmatch::model network = small_network(context);
    flowmatch::rate_config rate;
    rate.warmup = 10;
    flowmatch::validation_config validation;
    validation.every = 20;
    flowmatch::trainer_config config;
    config.steps = 100;
    config.rate = &rate;
    config.validation = &validation;
    config.average_decay = 0.9;
    config.publish = FMATCH_PUBLISH_BEST;
    flowmatch::trainer trainer(network, flowmatch::optimizer::adam(context),
                               half_moon_of_numbers(context), config);
    trainer.run(60);
    const fmatch_trainer_info info = trainer.get_info();
    expect_equal("steps", info.steps, std::int64_t(60));
    expect_close("learning rate", info.learning_rate,
                 flowmatch::adam_config().learning_rate *
                     flowmatch::evaluate_rate(rate, 100, 59, 1).at(0),
                 1e-15);
    expect_equal("validated", info.best_step > 0 && info.validation_loss > 0, true);
    bool refused = false;
    try {
        trainer.save_history("/nowhere/at/all", FMATCH_HISTORY_JSON);
    } catch (const flowmatch::io_error &) {
        refused = true;
    }
    expect_equal("a history in a folder that is not there is refused", refused, true);
}

void exceptions_cross_the_library()
{
    const flowmatch::context context;
    const flowmatch::model network = small_network(context);
    const flowmatch::source broken = flowmatch::source::callback(
        context, 1, [](flowmatch::generator &, std::int64_t first_row, std::int64_t, float *) {
            throw private_failure{static_cast<int>(first_row) + 41};
        });
    try {
        broken.draw(0, 1, 8);
        expect(false, "a draw that throws", "no exception", "private_failure");
    } catch (const private_failure &failure) {
        expect_equal("number of the failure", failure.number, 42);
    }

    /* An exception within a callback within a callback, and the object itself. */
    const std::exception_ptr original = std::make_exception_ptr(std::out_of_range("original"));
    const flowmatch::source nested = flowmatch::source::callback(
        context, 1, [&](flowmatch::generator &, std::int64_t, std::int64_t n, float *x) {
            try {
                broken.draw(0, 0, n, x);
            } catch (const private_failure &) {
                std::rethrow_exception(original);
            }
        });
    flowmatch::trainer trainer(network, flowmatch::optimizer::adam(context), nested);
    try {
        trainer.run(3);
        expect(false, "a nested draw that throws", "no exception", "std::out_of_range");
    } catch (...) {
        expect_equal("the original exception object", std::current_exception() == original, true);
    }

    flowmatch::trainer other(network, flowmatch::optimizer::adam(context),
                             half_moon_of_numbers(context));
    expect_thrown<std::logic_error>(
        "progress that throws",
        [&] {
            other.run(
                10, [](const fmatch_progress_info &) -> bool { throw std::logic_error("stop"); },
                2);
        },
        [](const std::logic_error &e) { expect_equal<std::string>("text", e.what(), "stop"); });
    expect_equal("steps before progress threw", other.count_steps(), std::int64_t(2));

    const flowmatch::model field = flowmatch::model::callback(
        context, 2, [](std::int64_t, const float *, const float *, float *) { throw 7; });
    try {
        field.evaluate({0, 0}, {0});
        expect(false, "a velocity that throws", "no exception", "an int");
    } catch (int thrown) {
        expect_equal("what the velocity threw", thrown, 7);
    }
    /* Nothing is left behind for the next call. */
    expect_equal("rows after exceptions", half_moon_of_numbers(context).draw(0, 0, 3).size(),
                 std::size_t(3));
}

void statuses_are_exceptions()
{
    const flowmatch::context context;
    flowmatch::mlp_config config;
    config.dim = 1;
    config.hidden_width = -3;
    expect_thrown<flowmatch::argument_error>(
        "hidden_width = -3", [&] { flowmatch::model::mlp(context, config); },
        [](const flowmatch::argument_error &e) {
            expect_equal("status", e.status(), fmatch_status(FMATCH_ERROR_ARGUMENT));
            expect(std::string(e.detail()).find("hidden_width is -3") != std::string::npos,
                   "detail", e.detail(), "hidden_width is -3");
            expect(std::string(e.what()).find(e.detail()) != std::string::npos, "what", e.what(),
                   e.detail());
        });
    expect_thrown<flowmatch::error>(
        "a vector of another size",
        [&] {
            small_network(context).evaluate({1, 2, 3}, {0, 0});
        },
        [](const flowmatch::error &e) {
            expect_equal("status", e.status(), fmatch_status(FMATCH_ERROR_SHAPE));
        });
    expect_thrown<flowmatch::io_error>(
        "a file that is not there", [&] { flowmatch::source::csv(context, "not-there.csv"); },
        [](const flowmatch::io_error &e) {
            expect(std::string(e.what()).find("not-there.csv") != std::string::npos, "what",
                   e.what(), "not-there.csv");
        });
    expect_thrown<flowmatch::argument_error>(
        "an array of another name", [&] { small_network(context).get_tensor("net.9.bias"); },
        [](const flowmatch::argument_error &e) {
            expect(std::string(e.what()).find("net.9.bias") != std::string::npos, "what", e.what(),
                   "net.9.bias");
        });
    expect_thrown<flowmatch::unsupported_error>(
        "density of a network", [&] { small_network(context).evaluate_density({0}, {0}); },
        [](const flowmatch::unsupported_error &) {});

    fmatch_allocator none = fmatch_allocator();
    none.struct_size = sizeof none;
    none.alloc = [](void *, std::size_t, std::size_t) -> void * { return nullptr; };
    none.free = [](void *, void *, std::size_t) {};
    flowmatch::context_config starved;
    starved.allocator = &none;
    expect_thrown<std::bad_alloc>(
        "a context without memory", [&] { flowmatch::context hungry(starved); },
        [](const std::bad_alloc &) {});
}

void callbacks_live_as_long_as_needed()
{
    int alive = 0;
    {
        const flowmatch::context context;
        std::unique_ptr<flowmatch::trainer> trainer;
        {
            const token held(&alive);
            const flowmatch::source target = flowmatch::source::callback(
                context, 1,
                [held](flowmatch::generator &random, std::int64_t, std::int64_t n, float *x) {
                    random.normal(n, 1, x);
                });
            trainer.reset(new flowmatch::trainer(small_network(context),
                                                 flowmatch::optimizer::adam(context), target));
        }
        expect_equal("captures while the trainer lives", alive, 1);
        trainer->run(2);
    }
    expect_equal("captures after everything", alive, 0);

    /* A creation that fails gives the function back as well. */
    {
        const flowmatch::context context;
        const token held(&alive);
        expect_thrown<flowmatch::argument_error>(
            "dim = 0",
            [&] {
                flowmatch::source::callback(
                    context, 0,
                    [held](flowmatch::generator &, std::int64_t, std::int64_t, float *) {});
            },
            [](const flowmatch::argument_error &) {});
        expect_thrown<flowmatch::argument_error>(
            "rows of dim 0",
            [&] {
                flowmatch::source::array(context, 0, {1, 2, 3});
            },
            [](const flowmatch::argument_error &) {});
    }
    expect_equal("captures after a failure", alive, 0);
}

void log_reaches_a_function()
{
    std::vector<std::string> lines;
    {
        const flowmatch::context context(
            [&](std::int32_t, const char *message) { lines.push_back(message); });
    }
    expect(!lines.empty() && lines[0].find("libflowmatch") != std::string::npos, "first message",
           lines.empty() ? "none" : lines[0].c_str(), "the library's name");
    expect_thrown<std::runtime_error>(
        "a log function that throws",
        [] {
            flowmatch::context noisy(
                [](std::int32_t, const char *) { throw std::runtime_error("no space for logs"); });
        },
        [](const std::runtime_error &e) {
            expect_equal<std::string>("text", e.what(), "no space for logs");
        });
}

/* By hand. */
void distances_and_paths(const flowmatch::context &context)
{
    const std::vector<float> x = {0, 3}, y = {0, 0, 3};
    expect_close("W2^2", flowmatch::wasserstein_1d(context, x, y).w2_square(), 1.5, 1e-12);
    expect_close("sliced W2", flowmatch::sliced_wasserstein(context, 1, x, y, 3, 1).w2_square, 1.5,
                 1e-12);
    expect_close("KS", flowmatch::kolmogorov_smirnov(context, x, y), 1.0 / 6, 1e-12);
    expect_close("KS of one sample", flowmatch::kolmogorov_smirnov_cdf(context, {0.75, 0.25}), 0.25,
                 1e-12);

    const std::vector<float> u = {0, 0, 1, 0}, v = {0, 3, 1, 4};
    expect_close("W2 by assignment", flowmatch::wasserstein(context, 2, u, v), std::sqrt(12.5),
                 1e-12);
    expect_close("W1 by assignment", flowmatch::wasserstein(context, 2, u, v, 1), 3.5, 1e-12);
    const flowmatch::sinkhorn_divergences sinkhorn =
        flowmatch::sinkhorn_divergence(context, 2, {1, 2}, {4, 6});
    expect_close("Sinkhorn divergence of two points", sinkhorn.divergence, 25, 1e-9);
    expect_close("the same without entropy", sinkhorn.transport, 25, 1e-9);
    const double sigma = 1;
    flowmatch::mmd_config one;
    one.sigmas = &sigma;
    one.count = 1;
    expect_close("MMD^2 of two points", flowmatch::mmd(context, 1, {0}, {1}, one),
                 2 - 2 * std::exp(-0.5), 1e-12);

    const std::vector<double> times = {0, 0.25, 1};
    const std::vector<float> trajectory = {0, 0, 1, 1, 1, 0};
    const flowmatch::path_measures path = flowmatch::evaluate_path(context, 1, times, trajectory);
    expect_close("path energy", path.energy, (4 + 16 / 3.0) / 2, 1e-12);
    expect_close("curvature", path.curvature, (3 + 16 / 3.0) / 2, 1e-12);
    expect_close("straightness", path.straightness, 0.5, 1e-12);
    expect_close("normalised path energy",
                 flowmatch::normalised_path_energy(context, 1, times, trajectory, 7), 1 / 3.0,
                 1e-12);
    expect_thrown<flowmatch::shape_error>(
        "a value too many",
        [&] {
            flowmatch::evaluate_path(context, 1, times, {1, 2, 3, 4});
        },
        [](const flowmatch::error &e) {
            expect_equal<std::string>("detail", e.detail(),
                                      "trajectory has 4 values; it must be a multiple of 3");
        });
}

void arrays_and_own_batches()
{
    const flowmatch::context context;
    const flowmatch::source rows =
        flowmatch::source::array(context, 2, {1, 2, 3, 4, 5, 6}, FMATCH_ORDER_SEQUENTIAL);
    expect_equal("rows of an array", rows.count_rows(), std::int64_t(3));
    expect_equal("a stored value", rows.get_rows(1, 1)[1], 4.0f);
    expect_close("a column's mean", rows.evaluate_moments().mean[0], 3, 1e-6);
    expect_close("distance of a set to itself",
                 flowmatch::energy_distance(2, rows.get_rows(0, 3), rows.get_rows(0, 3)), 0, 1e-12);

    distances_and_paths(context);

    const flowmatch::model network = small_network(context);
    flowmatch::trainer trainer(network, flowmatch::optimizer::adam(context));
    const std::vector<float> target = {1, -1, 0.5f}, noise = {0, 1, 2}, t = {0, 0.5f, 1};
    flowmatch::batch batch;
    batch.n = 3;
    batch.target = target.data();
    batch.noise = noise.data();
    batch.t = t.data();
    const double before = trainer.evaluate_batch(batch);
    const flowmatch::model::tensor bias = network.tensors().back();
    const std::vector<float> gradient = trainer.get_gradient(bias);

    /* The last bias adds to v: its gradient is 2 mean(v - (x1 - x0)). */
    double wanted = 0;
    for (std::size_t i = 0; i < 3; i++) {
        const float x = (1 - t[i]) * noise[i] + t[i] * target[i];
        wanted += 2.0 / 3 * (network.evaluate({x}, {t[i]})[0] - (target[i] - noise[i]));
    }
    expect_equal("values of a gradient", gradient.size(), std::size_t(1));
    expect_close("gradient of the last bias", gradient[0], wanted, 1e-5);
    expect_close("loss before a step", trainer.run_batch(batch), before, 1e-12);
    expect(trainer.evaluate_batch(batch) < before, "loss after a step",
           trainer.evaluate_batch(batch), before);
}

void rows_have_conditions_and_weights()
{
    const flowmatch::context context;
    const flowmatch::source array = flowmatch::source::array(
        context, 1, {1, 2, 3}, 2, {1, 2, 3, 4, 5, 6}, {0.5f, 0, 2}, FMATCH_ORDER_SEQUENTIAL);
    expect_equal("columns of the condition", array.condition_dim(), std::int32_t(2));
    expect_equal("weighted", array.weighted(), true);
    const flowmatch::source::rows drawn = array.draw_rows(1, 1, 2);
    expect_equal("x", drawn.x == std::vector<float>({2, 3}), true);
    expect_equal("condition", drawn.condition == std::vector<float>({3, 4, 5, 6}), true);
    expect_equal("weight", drawn.weight == std::vector<float>({0, 2}), true);
    expect_equal("a stored condition", array.get_conditions(2, 1)[1], 6.0f);
    expect_equal("a stored weight", array.get_weights(0, 1)[0], 0.5f);
    expect_thrown<flowmatch::shape_error>(
        "too few weights",
        [&] {
            flowmatch::source::array(context, 1, {1, 2}, 0, {}, {1});
        },
        [](const flowmatch::shape_error &) {});

    const flowmatch::source callback =
        flowmatch::source::callback(context, 1, 1, true,
                                    [](flowmatch::generator &random, std::int64_t, std::int64_t n,
                                       float *x, float *condition, float *weight) {
                                        random.normal(n, 1, x);
                                        for (std::int64_t i = 0; i < n; i++) {
                                            if (condition)
                                                condition[i] = -x[i];
                                            if (weight)
                                                weight[i] = x[i] * x[i];
                                        }
                                    });
    const flowmatch::source::rows own = callback.draw_rows(3, 0, 4);
    expect_equal("x alone", own.x == callback.draw(3, 0, 4), true);
    expect_equal("its condition", own.condition[2], -own.x[2]);
    expect_equal("its weight", own.weight[3], own.x[3] * own.x[3]);

    const flowmatch::source moons = flowmatch::source::toy(
        context, flowmatch::toy_config(FMATCH_TOY_TWO_MOONS, FMATCH_TOY_FFJORD, true));
    expect_equal("labels of the moons", moons.condition_dim(), std::int32_t(1));
    expect_close("the moons' mean height", moons.evaluate_moments().mean[1], 0.3, 1e-6);

    expect_thrown<flowmatch::io_error>(
        "an .npy file that is not there", [&] { flowmatch::source::npy(context, "not-there.npy"); },
        [](const flowmatch::io_error &) {});
    expect_close("log-density of a normal at 0",
                 flowmatch::source::normal(context, 2).evaluate_log_density({0, 0})[0],
                 -1.8378770664, 1e-9);
}

void files_give_the_model_back(const std::string &path)
{
    const flowmatch::context context;
    const flowmatch::model saved = small_network(context);
    saved.save(path);
    const flowmatch::model loaded = flowmatch::model::load(context, path);
    expect_equal("dim of the loaded model", loaded.dim(), saved.dim());
    for (const flowmatch::model::tensor &tensor : saved.tensors())
        expect(loaded.get_tensor(tensor.name) == saved.get_tensor(tensor.name), tensor.name.c_str(),
               "changed", "what was saved");
    expect_equal("samples of the loaded model",
                 flowmatch::sampler(loaded).draw(2, 0, 50) ==
                     flowmatch::sampler(saved).draw(2, 0, 50),
                 true);

    flowmatch::model other = small_network(context);
    other.set_tensor("net.0.bias", std::vector<float>(32, 0.0f));
    other.load_tensors(path);
    expect_equal("a bias that was loaded",
                 other.get_tensor("net.0.bias") == saved.get_tensor("net.0.bias"), true);
    other.set_tensor("net.0.bias", std::vector<float>(32, 0.0f));
    expect_thrown<flowmatch::error>(
        "a prefix that the file lacks", [&] { other.load_tensors(path, "layers."); },
        [](const flowmatch::error &) {});
    std::remove(path.c_str());
}

void checkpoints_go_on(const std::string &path)
{
    const flowmatch::context context;
    const flowmatch::source target = flowmatch::source::normal(context, 1);
    const auto make = [&](const flowmatch::model &network) {
        return flowmatch::trainer(network, flowmatch::optimizer::adam(context), target);
    };
    const flowmatch::model first = small_network(context), second = small_network(context);
    flowmatch::trainer whole = make(first), again = make(second);
    whole.run(5);
    whole.save(path);
    whole.run(5);
    again.load(path);
    expect_equal("steps of the checkpoint", again.count_steps(), std::int64_t(5));
    again.run(5);
    expect_equal("losses after a checkpoint", again.get_losses() == whole.get_losses(), true);
    expect_equal("a bias after a checkpoint",
                 first.get_tensor("net.0.bias") == second.get_tensor("net.0.bias"), true);
    std::remove(path.c_str());
    expect_thrown<flowmatch::io_error>(
        "a checkpoint that is not there", [&] { again.load(path); },
        [](const flowmatch::io_error &) {});
}

void threads_share_a_model()
{
    const flowmatch::context context;
    const flowmatch::model network = small_network(context);
    std::vector<float> one, two;
    std::thread first([&] { one = flowmatch::sampler(network).draw(4, 0, 3000); });
    std::thread second([&] { two = flowmatch::sampler(network).draw(4, 0, 3000); });
    first.join();
    second.join();
    expect_equal("samples of two threads", one == two && one.size() == 3000, true);
    expect_equal("a trajectory's size", flowmatch::sampler(network).draw_trajectory(0, 0, 2).size(),
                 std::size_t(51 * 2));
}

std::vector<float> drawn_in(const flowmatch::context &context)
{
    const flowmatch::model model = small_network(context);
    flowmatch::sampler_config config;
    config.steps = 3;
    return flowmatch::sampler(model, config).draw(1, 0, 2000);
}

/* Runs every task on a thread of its own, backwards. */
void run_on_threads(std::int64_t tasks, flowmatch::task run)
{
    std::vector<std::thread> threads;
    for (std::int64_t i = tasks - 1; i >= 0; i--)
        threads.emplace_back([run, i] { run(i); });
    for (std::thread &thread : threads)
        thread.join();
}

void an_executor_changes_no_result()
{
    const std::vector<float> alone = drawn_in(flowmatch::context());
    flowmatch::context_config config;
    config.threads = 4;
    config.matmul = FMATCH_MATMUL_BUILTIN;
    int alive = 0;
    {
        int calls = 0;
        const token held(&alive);
        const flowmatch::context context = flowmatch::context::with_executor(
            [&calls, held](std::int64_t tasks, flowmatch::task run) {
                calls++;
                run_on_threads(tasks, run);
            },
            config);
        expect(drawn_in(context) == alone, "samples by an executor", "others", "the same");
        expect(calls > 0, "calls of the executor", calls, "at least 1");
        expect(alive >= 2, "executors held by the context", alive, "2");
    }
    expect_equal("executors held after the context", alive, 0);
}

void an_executor_may_throw()
{
    flowmatch::context_config config;
    config.threads = 2;
    const flowmatch::context context = flowmatch::context::with_executor(
        [](std::int64_t, flowmatch::task) { throw private_failure{7}; }, config);
    try {
        drawn_in(context);
        expect(false, "drawing with an executor that throws", "no exception", "its exception");
    } catch (const private_failure &failure) {
        expect_equal("what the executor threw", failure.number, 7);
    }
    int alive = 0;
    config.threads = 0;
    expect_thrown<flowmatch::argument_error>(
        "a context of no threads",
        [&] {
            const token held(&alive);
            flowmatch::context::with_executor([held](std::int64_t, flowmatch::task) {}, config);
        },
        [](const flowmatch::argument_error &) {});
    expect_equal("executors held after a failure", alive, 0);
}

void conditions_reach_networks_and_functions()
{
    const flowmatch::context context;
    fmatch_mlp_config config = flowmatch::mlp_config(FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.condition_dim = 1;
    config.classes = 3;
    config.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    const flowmatch::model model = flowmatch::model::mlp(context, config);
    const std::vector<float> x = {0, 1}, t = {0.5f, 0.5f}, labels = {2, 0};
    expect_equal("columns of a condition", model.condition_dim(), std::int32_t(1));
    expect_equal("classes", model.count_classes(), std::int32_t(3));
    expect(model.evaluate(x, t, labels) != model.evaluate(x, t), "velocity under a label", 0,
           "another one than under none");
    fmatch_sampler_config settings = flowmatch::sampler_config();
    settings.guidance = FMATCH_GUIDANCE_SCALE;
    settings.guidance_strength = 2;
    flowmatch::sampler sampler(model, settings);
    expect(sampler.draw(1, 0, 2, labels) != sampler.draw(1, 0, 2), "guided samples", 0,
           "others than without a label");
    expect_thrown<flowmatch::error>(
        "too few conditions", [&] { sampler.integrate(x, {1}); }, [](const flowmatch::error &) {});

    const flowmatch::model field = flowmatch::model::conditional_callback(
        context, 1, 1, true,
        [](std::int64_t n, const float *, const float *, const float *condition, float *v) {
            for (std::int64_t i = 0; i < n; i++)
                v[i] = condition ? condition[i] : -1;
        });
    expect_equal("v under a condition", field.evaluate(x, t, labels)[0], 2.0f);
    expect_equal("v under none", field.evaluate(x, t)[0], -1.0f);
}

void batches_are_transported()
{
    const flowmatch::context context;
    const flowmatch::assignment line =
        flowmatch::solve_assignment(context, 1, {3, 1, 2}, {10, 30, 20});
    expect(line.permutation == std::vector<std::int32_t>({1, 0, 2}), "pairs on the line", "others",
           "1 0 2");
    expect_equal("their cost", line.total, 27.0 * 27 + 9 * 9 + 18 * 18);
    const flowmatch::assignment costs = flowmatch::solve_assignment(context, 2, {1, 2, 3, 5});
    expect_equal("cost of two pairs", costs.total, 5.0);
    expect_equal("cost of none", flowmatch::solve_assignment(context, 0, {}).total, 0.0);
    expect_thrown<flowmatch::shape_error>(
        "too few costs",
        [&] {
            flowmatch::solve_assignment(context, 2, {1, 2, 3});
        },
        [](const flowmatch::shape_error &) {});

    fmatch_sinkhorn_config config = flowmatch::sinkhorn_config();
    config.epsilon = 1;
    config.epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
    const flowmatch::sinkhorn_plan plan =
        flowmatch::solve_sinkhorn(context, 2, 2, {0, 1, 1, 0}, {}, {}, config);
    expect_equal("converged", plan.converged, true);
    expect_close("mass that stays", plan.plan[0], 0.5 / (1 + std::exp(-1.0)), 1e-9);
    config.iterations = 1;
    expect_equal("converged at once",
                 flowmatch::solve_sinkhorn(context, 2, 2, {0, 1, 3, 1}, {}, {}, config).converged,
                 false);
    expect_thrown<flowmatch::argument_error>(
        "masses that do not agree",
        [&] {
            flowmatch::solve_sinkhorn(context, 2, 2, {0, 1, 1, 0}, {1, 1}, {1, 2});
        },
        [](const flowmatch::argument_error &) {});

    /* Even shares of a symmetric noise: the boundary is at 0, half way if g_1 - g_0 = 2^2 - 1. */
    const flowmatch::source noise = flowmatch::source::normal(context, 1);
    const flowmatch::semidiscrete_potential halves =
        flowmatch::solve_semidiscrete(context, noise, {-1, 2});
    expect_equal("halves found", halves.converged, true);
    expect_close("their potential", halves.potential[1] - halves.potential[0], 3, 0.5);
    expect(flowmatch::assign_semidiscrete(context, 1, {-1, 1}, {-1, 2}, halves.potential) ==
               std::vector<std::int32_t>({0, 1}),
           "rows of either side", "others", "0 1");
    expect(flowmatch::assign_semidiscrete(context, 1, {0.25f}, {-1, 2}) ==
               std::vector<std::int32_t>({0}),
           "the nearest row", "another", "0");

    expect(flowmatch::draw_columns(context, 3, 2, {0, 1, 2, 0, 0, 0}, 1) ==
               std::vector<std::int32_t>({1, 0, -1}),
           "columns of a plan", "others", "1 0 -1");
    /* The diagonal alone is half of the pairs: no weight makes them fewer. */
    expect_equal("weight of conditions",
                 flowmatch::condition_weight(2, {1, 5, 1, 5}, {0, 1, 1, 0}, 0.25), 1e8);
    expect_equal("weight that is not needed",
                 flowmatch::condition_weight(2, {1, 5, 1, 5}, {0, 1, 1, 0}, 1), 0.0);
}

void paths_times_and_couplings()
{
    const flowmatch::context context;
    flowmatch::path_config path;
    path.kind = FMATCH_PATH_POLYNOMIAL;
    path.exponent = 2;
    expect_close("alpha", flowmatch::evaluate_schedule(path, {0.5}).alpha[0], 0.25, 1e-12);
    expect_close("t of a ratio", flowmatch::evaluate_inverse_ratio(path, {1})[0], std::sqrt(0.5),
                 1e-12);
    const std::vector<float> x0 = {1, 3}, x1 = {5, 2}, t = {0.5f, 0.5f};
    const flowmatch::path_point point = flowmatch::evaluate_path(path, 1, x0, x1, t);
    expect_close("x_t", point.x_t[0], 0.75 * 1 + 0.25 * 5, 1e-6);
    const std::vector<float> data = flowmatch::evaluate_prediction(
        path, FMATCH_PREDICTION_VELOCITY, FMATCH_PREDICTION_DATA, 1, t, point.x_t, point.velocity);
    expect_close("data", data[1], 2, 1e-5);

    flowmatch::time_config grid;
    const double only = 0.25;
    grid.kind = FMATCH_TIME_GRID;
    grid.grid = &only;
    grid.grid_count = 1;
    expect_equal("time", flowmatch::draw_times(context, grid, 0, 0, 1, 3)[2], 0.25f);

    flowmatch::coupling_config exact;
    exact.kind = FMATCH_COUPLING_EXACT;
    fmatch_coupling_rows rows = fmatch_coupling_rows();
    rows.struct_size = sizeof rows;
    rows.dim = 1;
    rows.n = 2;
    rows.noise = x0.data();
    rows.target = x1.data();
    const flowmatch::coupled_pairs pairs = flowmatch::solve_coupling(context, exact, 0, rows);
    expect_equal("noise of the first row", pairs.noise_row[0], std::int32_t(1));
    expect_close("cost", pairs.cost, (4 + 1) / 2.0, 1e-9);

    flowmatch::loss_config huber;
    huber.kind = FMATCH_LOSS_PSEUDO_HUBER;
    flowmatch::mlp_config network;
    network.dim = 1;
    network.path = &path;
    const flowmatch::model model = flowmatch::model::mlp(context, network);
    flowmatch::trainer_config settings;
    settings.batch = 2;
    settings.time = &grid;
    settings.loss = &huber;
    settings.coupling = &exact;
    flowmatch::trainer trainer(model, flowmatch::optimizer::adam(context),
                               flowmatch::source::array(context, 1, x1), settings);
    expect(trainer.run(3), "training with settings", 0, "three steps");
}

void the_build_is_described()
{
    const flowmatch::build_info info;
    expect_equal("version", std::string(info.version), std::string(fmatch_version_get_text()));
    expect((info.blas_threads > 0) == (info.blas_name[0] != '\0'), "BLAS threads",
           info.blas_threads, "0 exactly without a BLAS");
    expect_thrown<flowmatch::argument_error>(
        "no BLAS threads", [] { flowmatch::set_blas_threads(0); },
        [](const flowmatch::argument_error &) {});
    if (info.blas_threads == 0)
        return;
    flowmatch::set_blas_threads(1);
    expect_equal("BLAS threads that were set", flowmatch::build_info().blas_threads,
                 std::int32_t(1));
    flowmatch::set_blas_threads(info.blas_threads);
}

} // namespace

int main(int argc, char **argv)
{
    const std::string path = argc > 1 ? argv[1] : "train_and_sample.safetensors";
    try {
        handles_move_and_do_not_copy();
        the_density_along_the_flow_is_the_mixtures();
        a_function_gives_its_derivative();
        training_reaches_the_exact_loss();
        progress_cancels();
        training_has_a_rate_and_a_validation();
        exceptions_cross_the_library();
        statuses_are_exceptions();
        callbacks_live_as_long_as_needed();
        log_reaches_a_function();
        arrays_and_own_batches();
        rows_have_conditions_and_weights();
        files_give_the_model_back(path);
        checkpoints_go_on(path);
        threads_share_a_model();
        an_executor_changes_no_result();
        an_executor_may_throw();
        conditions_reach_networks_and_functions();
        batches_are_transported();
        paths_times_and_couplings();
        the_build_is_described();
    } catch (const std::exception &exception) {
        std::cout << "an exception that nobody expected: " << exception.what() << std::endl;
        failures++;
    }
    return failures > 99 ? 99 : failures;
}
