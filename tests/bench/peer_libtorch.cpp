// libtorch's part of the benchmark: PyTorch without Python. Reads from standard input, one a line:
//   train DIM WIDTH BATCH THREADS MILLISECONDS   microseconds of a step
//   facts
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

namespace
{

double seconds_now()
{
    using clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

struct work {
    int dim = 0, width = 0, batch = 0;
    bool operator==(const work &w) const
    {
        return dim == w.dim && width == w.width && batch == w.batch;
    }
};

// The post's loop: fresh rows of the mixture, in every column, at every step.
struct training {
    explicit training(const work &w)
        : of(w), net(torch::nn::Linear(1 + w.dim, w.width), torch::nn::GELU(),
                     torch::nn::Linear(w.width, w.width), torch::nn::GELU(),
                     torch::nn::Linear(w.width, w.dim)),
          optimizer(net->parameters(), torch::optim::AdamOptions(1e-3)),
          means(torch::tensor({-0.85f, 1.5f})), stds(torch::tensor({0.65f, 0.25f}))
    {
    }

    void step()
    {
        const auto component = (torch::rand({of.batch, 1}) >= 0.55).to(torch::kLong);
        const auto x1 =
            means.index({component}) + stds.index({component}) * torch::randn({of.batch, of.dim});
        const auto x0 = torch::randn({of.batch, of.dim});
        const auto t = torch::rand({of.batch, 1});
        const auto x = (1 - t) * x0 + t * x1;
        const auto loss = torch::mse_loss(net->forward(torch::cat({t, x}, 1)), x1 - x0);
        for (auto &parameter : net->parameters()) // cheaper than zeros
            parameter.mutable_grad().reset();
        loss.backward();
        optimizer.step();
    }

    work of;
    torch::nn::Sequential net;
    torch::optim::Adam optimizer;
    torch::Tensor means, stds;
};

double microseconds_of_a_step(training &t, double milliseconds)
{
    for (long steps = 1;;) {
        const double began = seconds_now();
        for (long i = 0; i < steps; i++)
            t.step();
        const double seconds = seconds_now() - began;
        if (seconds >= 1e-3 * milliseconds)
            return 1e6 * seconds / static_cast<double>(steps);
        const double missing = 1.1e-3 * milliseconds / std::max(seconds, 1e-6);
        steps = static_cast<long>(static_cast<double>(steps) * std::min(20.0, missing)) + 1;
    }
}

} // namespace

int main()
{
    std::unique_ptr<training> kept;
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        if (name == "facts") {
            std::printf("libtorch %s\n", TORCH_VERSION);
        } else {
            work w;
            int threads = 1;
            double milliseconds = 0;
            words >> w.dim >> w.width >> w.batch >> threads >> milliseconds;
            torch::set_num_threads(threads);
            if (!kept || !(kept->of == w)) {
                kept = std::make_unique<training>(w);
                kept->step();
            }
            std::printf("%.4f\n", microseconds_of_a_step(*kept, milliseconds));
        }
        std::fflush(stdout);
    }
    return 0;
}
