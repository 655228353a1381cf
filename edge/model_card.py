"""The card beside a file of models: what it was made from, what it says, and what it does not."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edge.model_file import FORMAT, Body, CauseScore, Limit, Weights
from models.scoring.intervals import poisson

#: Marks in a card between which scores on lines that were not trained on are written by hand or by a benchmark.
_SCORES = ("<!-- scores -->", "<!-- end of scores -->")

_BASIS = {
    "physics": "not raised: nothing seen that asks for it",
    "ranks": "raised: quantile of the cell-days seen",
    "tail": "raised: fitted beyond the cell-days seen",
    "highest": "raised: above the highest of the cell-days seen",
    "beyond": "raised as far as allowed: **the budget is not kept**",
    "fixed": "never changed",
}


def card(body: Body, data: bytes, name: str, scores: str = "") -> str:
    """Markdown of one file.

    Parameters
    ----------
    body
        What the file holds.
    data
        Its bytes.
    name
        Its name.
    scores
        Text of the section of scores; empty where none have been made.

    Returns
    -------
    str
        Ends with a line break.
    """
    days = max((limit.cell_days for limit in body.limits.values()), default=0.0)
    lines = [
        f"# Model card of `{name}`",
        "",
        f"SHA-256 `{hashlib.sha256(data).hexdigest()}`, {len(data)} bytes, format {FORMAT}. Written by "
        "`potline train`; the same histories give the same bytes on one machine. Licence as potline's (Apache-2.0).",
        "",
        "## Learned from",
        *(f"* {text}" for text in body.trained_on),
        "",
        "All of them are simulated lines of `plant/`. Nothing here was learned from, or shown at, a real plant.",
        "",
        "## Scores on lines that were not trained on",
        _SCORES[0],
        scores or "None yet.",
        _SCORES[1],
        "",
        "## Limits of scores",
        "Each kind's score is divided by its factor. A cell-day of a kind is 24 h of clear time in which a cell was "
        f"judged; there are {days:.0f} of them at most. A budget of b per cell-day can be shown with 1/b of them or "
        f"more, so those below {1.0 / max(days, 1.0):.4f} rest on a fit of the tail, which is an assumption. Limits "
        "are only ever raised.",
        "",
        "Not raised is not shown: the rate at the limit of physics is known only as far as its 95 % interval says "
        "(exact Poisson).",
        "",
        "| kind | factor | budget per cell-day | cell-days above physics | at most per cell-day | rests on |",
        "|---|---|---|---|---|---|",
        *(_row(kind, limit) for kind, limit in body.limits.items()),
        "",
        "## Network",
        *_network(body.sequence, body.use_sequence),
        "",
        "## Order of causes",
        *_causes(body.cause_scores),
        "",
        "## Not known",
        "* Labels name kinds, not causes: causes that no kind of event would prove keep the share that physics gives "
        "them, and those that the same kind would prove keep their proportion.",
        "* Frequencies of faults are those of a record made to learn from; beliefs are no frequencies at a plant.",
        "* Cell-days of one cell and one line are not independent: the budgets may be missed elsewhere. "
        "`potline train` on a plant's own quiet record finds its own limits.",
    ]
    return "\n".join(lines) + "\n"


def scores_of(path: Path) -> str:
    """Section of scores of a card that is about to be replaced, so that it can be looked at; empty where none is."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    begin, found, rest = text.partition(_SCORES[0])
    del begin
    return rest.partition(_SCORES[1])[0].strip() if found else ""


def _row(kind: str, limit: Limit) -> str:
    seen = f"{limit.above} of {limit.cell_days:g}"
    at_most = f"{poisson(limit.above, limit.cell_days)[1]:.3f}" if limit.cell_days else "-"
    basis = _BASIS[limit.basis] if limit.cell_days else "not raised: no cell-day was judged"
    return f"| `{kind}` | {limit.factor:g} | {limit.budget:.4f} | {seen} | {at_most} | {basis} |"


def _causes(scores: Mapping[str, CauseScore]) -> list[str]:
    if not scores:
        return ["Not learned: the rules of physics put them in order."]
    lines = [
        "A multinomial logistic law for each detector, of the evidence of its alarms and the scores beside them, "
        "fitted to what labels say was true. It puts the causes in order that the rules offer and adds none. Each line "
        "in turn was left out and judged by what the others teach; only alarms count that have their true cause among "
        "the causes and another beside it. It is on where it names the true one first more often than the rules, its "
        "loss is smaller by more than 1.64 standard errors, and there are twenty alarms to show it; elsewhere the "
        "rules stand.",
        "",
        "| kind | alarms | true one first, by rules | by law | mean logarithmic loss, by rules | by law | mean share "
        "stated for the first | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, s in scores.items():
        rules, law = f"{s.first_by_rules / s.alarms:.2f}", f"{s.first_by_law / s.alarms:.2f}"
        losses = f"{s.loss_by_rules:.2f} | {s.loss_by_law:.2f} | {s.stated_by_law:.2f}"
        lines.append(
            f"| `{kind}` | {s.alarms} | {rules} | {law} | {losses} | {'**on**' if s.used else 'off'} |"
        )
    return lines


def _network(weights: Weights | None, used: bool) -> list[str]:
    if weights is None:
        return ["None was trained."]
    count = sum(len(data) // 4 for data in weights.data)
    return [
        f"{count} weights: one layer of gated recurrent units ({weights.shapes[1][0]}) over five-minute windows of "
        f"each anode, {len(weights.features)} figures in, {len(weights.classes)} classes out. "
        + (
            "**On**: names the kind of an alarm that physics raised; it raises none."
            if used
            else "**Off**: it stands in the file and names nothing."
        ),
    ]
