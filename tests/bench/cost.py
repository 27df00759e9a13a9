"""Cost against work: the time of a training step over width and over batch, and its drawing."""
import shutil
import subprocess

WIDTHS = [16, 32, 64, 128, 256, 512, 1024, 2048]
BATCHES = [1, 4, 16, 64, 256, 1024, 4096, 16384]
DIM = 2
FIXED_BATCH, FIXED_WIDTH = 256, 64


def measure(library, torch, libtorch, ms, quick):
    """Rows of program, threads, axis ("width" or "batch"), its value and microseconds: the faster of two turns."""
    step = 2 if quick else 1
    works = [("width", w, (DIM, w, FIXED_BATCH)) for w in WIDTHS[::step] + (WIDTHS[-1:] if quick else [])]
    works += [("batch", b, (DIM, FIXED_WIDTH, b)) for b in BATCHES[::step] + (BATCHES[-1:] if quick else [])]
    rows = []
    for axis, value, work in works:
        for threads in (1, 2):
            for name, program, extra in (("libflowmatch", library, ["auto"]), ("PyTorch", torch, []),
                                         ("libtorch", libtorch, [])):
                if program:
                    microseconds = min(program.numbers("train", *work, threads, *extra, ms)[0] for _ in range(2))
                    rows.append({"program": name, "threads": threads, "axis": axis, "value": value,
                                 "microseconds": microseconds})
    return rows


def curves(rows, axis):
    """(program, threads) -> points of that axis."""
    found = {}
    for row in rows:
        if row["axis"] == axis:
            found.setdefault((row["program"], row["threads"]), []).append((row["value"], row["microseconds"]))
    return found


TITLES = {"width": f"two hidden layers, batch {FIXED_BATCH}", "batch": f"two hidden layers of {FIXED_WIDTH}"}
COLOURS = {"libflowmatch": "#1b6ca8", "PyTorch": "#d1495b", "libtorch": "#edae49"}


def draw_with_matplotlib(rows, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for plot, axis in zip(axes, ("width", "batch")):
        for (program, threads), points in curves(rows, axis).items():
            plot.plot(*zip(*points), color=COLOURS[program], marker="o", markersize=3,
                      linestyle="-" if threads == 2 else "--",
                      label=f"{program}, {threads} thread{'s' if threads > 1 else ''}")
        plot.set_xscale("log", base=2)
        plot.set_yscale("log")
        plot.set_xlabel(axis)
        plot.set_title(TITLES[axis])
        plot.grid(True, which="major", alpha=0.3)
    axes[0].set_ylabel("training step, µs")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def draw_with_gnuplot(rows, path):
    script = ["set terminal pngcairo size 1320,552", f"set output '{path}'", "set multiplot layout 1,2",
              "set logscale xy", "set grid", "set key left top", "set ylabel 'training step, us'"]
    for axis in ("width", "batch"):
        found = curves(rows, axis)
        script += [f"set xlabel '{axis}'", f"set title '{TITLES[axis]}'"]
        script.append("plot " + ", ".join(
            f"'-' with linespoints lc rgb '{COLOURS[p]}' dt {1 if n == 2 else 2} title '{p}, threads {n}'" for p, n in found))
        for points in found.values():
            script += [f"{x} {y}" for x, y in points] + ["e"]
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def draw(rows, path):
    """Returns what was done, in words."""
    try:
        draw_with_matplotlib(rows, path)
    except ImportError:
        if not shutil.which("gnuplot"):
            return "no drawing: neither python3-matplotlib nor gnuplot is installed"
        draw_with_gnuplot(rows, path)
    return f"cost against work: {path}"
