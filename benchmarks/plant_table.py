"""Tables of the simulated line's data card out of ``results/plant.json``."""

from typing import Any

Figures = dict[str, Any]

#: What is compared with the real traces, with how many digits.
_COMPARED = (
    ("spread_10s_mV", "spread at 10 s [mV]", 1),
    ("spread_60s_mV", "spread at 1 min [mV]", 1),
    ("spread_600s_mV", "spread at 10 min [mV]", 1),
    ("spread_3600s_mV", "spread at 1 h [mV]", 1),
    ("noise_mV", "noise about the median of 440 s [mV]", 1),
    ("low_1pct_mV", "its 1 % quantile [mV]", 1),
    ("high_99pct_mV", "its 99 % quantile [mV]", 1),
    ("acf_10s", "its autocorrelation at 10 s", 2),
    ("acf_30s", "at 30 s", 2),
    ("acf_60s", "at 60 s", 2),
    ("psd_slope", "slope of the spectrum, 0.001-0.06 Hz", 2),
    ("feed_swing_mV", "swing of five-minute means [mV]", 0),
)


def card(figures: Figures) -> str:
    """Markdown of ``results/plant.json``.

    Parameters
    ----------
    figures
        As ``benchmarks.plant_card`` writes them; parts that were not measured are left out.
    """
    parts = figures["parts"]
    lines: list[str] = []
    if "traces" in parts:
        lines += _traces(parts["traces"])
    if "gate" in parts:
        lines += _gate(parts["gate"])
    if "balance" in parts:
        lines += _balance(parts["balance"])
    if "faults" in parts:
        lines += _faults(parts["faults"])
    if "speed" in parts:
        lines += _speed(parts["speed"])
    return "\n".join(lines) + "\n"


def _measured(part: Figures) -> str:
    changed = " with uncommitted changes" if part["uncommitted_changes"] else ""
    return f"(commit {part['commit'][:10]}{changed}, seed {part['seed']}, {part['measured'][:10]})"


def _verdict(met: bool) -> str:
    return "met" if met else "**MISSED**"


def _between(values: list[float], digits: int) -> str:
    low, middle, high = values
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _traces(part: Figures) -> list[str]:
    first, second = part["traces"]
    lines = [
        "### Beside the two real traces",
        "",
        f"{part['cells']} simulated cells for {part['hours']} h without faults, averaged as each trace was sampled: "
        f"middle and range of the cells {_measured(part)}. Of the 126 kA trace only the half hour before its beam "
        "raise counts: too little to judge a classifier by.",
        "",
        f"| | {first['name']} | simulated | {second['name']} | simulated |",
        "|---|---:|---:|---:|---:|",
    ]
    for key, what, digits in _COMPARED:
        cells = [
            f"{_real(t['real'][key], digits)} | {_between(t['simulated'][key], digits)}"
            for t in (first, second)
        ]
        lines.append(f"| {what} | {cells[0]} | {cells[1]} |")
    lines += [
        "",
        "Can a classifier tell ten-minute windows of real voltage from simulated ones (level left out)?",
        "",
    ]
    for trace in (first, second):
        told = trace["auroc"]
        best = max(told["forest"], told["logistic"])
        lines.append(
            f"* {trace['name']}: AUROC {told['forest']:.2f} (random forest), {told['logistic']:.2f} (logistic), "
            f"{told['real_windows']} real and {told['simulated_windows']} simulated windows; what gives it away: "
            f"{', '.join(told['most_telling'])} (goal below 0.85), {_verdict(best < 0.85)}."
        )
    return [*lines, ""]


def _real(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value == value else "too short"


def _gate(part: Figures) -> list[str]:
    low, middle, high = part["sd_mV"]
    return [
        "### Mismatch gate: the twin on this plant",
        "",
        f"Voltage residual of the twin on {part['cells']} cells without faults, {part['hours']} h, minute means after "
        f"the first six hours, through the gateway's pipeline {_measured(part)}.",
        "",
        f"* spread, middle of the cells: {middle:.1f} mV, {low:.1f} to {high:.1f} (goal 8-15 mV), "
        f"{_verdict(8.0 <= middle <= 15.0)};",
        f"* autocorrelation at one minute: {_between(part['acf_1min'], 2)} (goal above 0.5), "
        f"{_verdict(part['acf_1min'][0] > 0.5)};",
        f"* excursions of ten minutes beyond 20 mV: {part['excursions_per_cell_day']:.1f} a cell-day (goal: several).",
        "",
    ]


def _balance(part: Figures) -> list[str]:
    low, middle, high = part["bath_temp_C"]
    rows = [
        (
            "bath temperature, means of cells [degC]",
            f"{middle:.0f} ({low:.0f} to {high:.0f})",
            "950-970; Qatalum 956",
        ),
        (
            "its spread in a cell, robust sd [K]",
            f"{part['bath_temp_sd_C']:.1f}",
            "2-5 K dips at each anode change",
        ),
        (
            "superheat, 5, 50, 95 % [K]",
            _quantiles(part["superheat_C"], 1),
            "5-15; low below 4, high above 15",
        ),
        ("current efficiency, means of cells", _between(part["efficiency"], 3), "0.92-0.96; Qatalum 0.942"),
        ("cell voltage [V]", _between(part["voltage_V"], 2), "3.9-4.4; Qatalum 4.20"),
        ("DC energy [kWh/t]", _between(part["dc_kwh_t"], 0), "12 270 (HAL4e, measured) to 13 500"),
        ("heat loss [kW] at 300 kA", _between(part["loss_kW"], 0), "422-712 (Dupuis, same shell)"),
        (
            "of it through the side [%]",
            f"{100 * part['side_share']:.0f}",
            "22-33 at bath and metal level",
        ),
        ("ledge, 5, 50, 95 % [mm]", _quantiles(part["ledge_mm"], 0), "20-150 (bath and metal level)"),
        ("shell, 5, 50, 95 % [degC]", _quantiles(part["shell_C"], 0), "200-330, real trace 357-364"),
        (
            "anode effects per cell-day",
            f"{part['effects_per_cell_day']:.3f}",
            "0.01-0.1; 0.08 (Ren et al., 300 kA)",
        ),
        ("duration of an anode effect [s]", _between(part["effect_s"], 0), "60-180"),
        ("feed cycle [min]", f"{part['cycle_min']:.0f}", "45-90"),
    ]
    return [
        "### Balances and plausibility",
        "",
        f"{part['cells']} cells for {part['days']} days (goal: 30) at natural rates, {part['faults']} faults; of "
        f"{part['physical']} physical ones, anode effects too, {part['shown']} left normal spread {_measured(part)}.",
        "",
        f"* alumina in = metal out + held: gap {100 * part['alumina_gap']:.3f} % of what was fed (goal 0.5 %), "
        f"{_verdict(part['alumina_gap'] < 0.005)};",
        f"* energy in = reaction + losses + stored: gap {100 * part['energy_gap']:.3f} % of the input (goal 0.5 %), "
        f"{_verdict(part['energy_gap'] < 0.005)}.",
        "",
        "| | simulated | published |",
        "|---|---:|---|",
        *(f"| {what} | {value} | {published} |" for what, value, published in rows),
        "",
    ]


def _quantiles(values: list[float], digits: int) -> str:
    return ", ".join(f"{v:.{digits}f}" for v in values)


def _faults(part: Figures) -> list[str]:
    low, high = part["severities"]
    lines = [
        "### What faults show",
        "",
        f"One fault in each of {part['cells']} cells beside the same cells without it, {part['hours']} h "
        f"{_measured(part)}: "
        "the two clearest signs, as the largest deviation of an hourly mean, and in brackets over that of the same "
        "instrument in the middle of all these cells, most of which it does not concern, or its hourly spread. "
        "Below about 2 no single instrument tells; bath and metal are sampled once a day.",
        "",
        f"| kind | severity {low} | severity {high} |",
        "|---|---|---|",
    ]
    for kind, sizes in part["kinds"].items():
        cells = [", ".join(_sign(sign) for sign in signs) for signs in sizes]
        lines.append(f"| `{kind}` | {cells[0]} | {cells[1]} |")
    return [*lines, ""]


def _sign(sign: Figures) -> str:
    name, _, unit = sign["signal"].partition(" [")
    return f"{name} {sign['size']:+.3g} {unit.rstrip(']')} ({sign['over_usual']:.1f})".replace("  ", " ")


def _speed(part: Figures) -> list[str]:
    machine = part["machine"]
    days, live = 10.0 / part["days"], part["live_cells"] / 420.0
    whole = part["days"] == 10.0 and part["live_cells"] == 420
    how = "" if whole else ", scaled in proportion from the sizes in brackets (`--full` measures the whole)"
    return [
        "### Speed and size",
        "",
        f"{machine['cpu']}, {machine['logical_cpus']} logical, shared with other work{how} {_measured(part)}.",
        "",
        f"* 24 cells x 10 days at 5 s ({part['cells']} x {part['days']:g}): {days * part['cpu_s']:.0f} s of processor "
        f"in one process (goal below 600 s), {_verdict(days * part['cpu_s'] < 600.0)}; {days * part['wall_s']:.0f} s "
        f"on the clock of the shared machine; {days * part['size_MB']:.0f} MB on disk;",
        f"* largest memory: {part['peak_MB']:.0f} MB (goal below 2000 MB), {_verdict(part['peak_MB'] < 2000.0)};",
        f"* 420 cells live at one scan a second, encoded ({part['live_cells']}): "
        f"{live * part['live_cpu_ratio']:.0f} times real time by processor (goal 10), "
        f"{_verdict(live * part['live_cpu_ratio'] > 10.0)}; {live * part['live_ratio']:.0f} on the clock.",
        "",
    ]
