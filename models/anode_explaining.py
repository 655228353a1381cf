"""Causes of what anodes do, by the signatures of the physics reference 5.3 and 5.4."""

from typing import NamedTuple

import numpy as np


class AnodeFacts(NamedTuple):
    """What the causes of one anode's alarm are weighed by.

    Attributes
    ----------
    age_h
        Hours since it was set, NaN where unknown.
    corner
        Whether it stands at an end of its row.
    superheat_C
        Of the cell by the twin, NaN where unknown [degC].
    sudden
        Whether its current changed within minutes.
    noise_llr
        Log odds of the noise: of a short against more carbon in the bath, of a contact against a lost face.
    returns
        How often its current came back and left again.
    peak_frac
        Largest departure, relative.
    named_instead
        Whether the log has the change at another anode.
    """

    age_h: float
    corner: bool
    superheat_C: float
    sudden: bool
    noise_llr: float
    returns: float
    peak_frac: float
    named_instead: bool


def weigh(kind: str, facts: AnodeFacts) -> dict[str, float]:
    """Unnormalised belief in each cause of an alarm.

    Parameters
    ----------
    kind
        Alarm kind of the anode-change or anode-condition family.
    facts
        See `AnodeFacts`.

    Notes
    -----
    Weights are of low to medium confidence, as the signatures are; not validated on plant data.
    """
    cold = 0.5 if np.isnan(facts.superheat_C) else float(np.clip((8.0 - facts.superheat_C) / 6.0, 0.0, 1.0))
    quiet_noise = 1.0 / (1.0 + float(np.exp(-np.clip(facts.noise_llr, -20.0, 20.0))))
    young = facts.age_h < 72.0
    step = 1.0 if facts.sudden else 0.2
    match kind:
        case "anode_slow_pickup":
            return {
                "slow_pickup_frozen_bath": 1.0 - 0.5 * cold,
                "slow_pickup_cold_corner": 0.6 * facts.corner + 0.6 * cold,
                "set_high": 0.3,
                "poor_clamp_contact": 0.15,
            }
        case "anode_set_high":
            return {"set_high": 1.0, "poor_clamp_contact": 0.4, "slow_pickup_frozen_bath": 0.2}
        case "anode_set_low":
            return {"set_low": 1.0, "rod_slipped": 0.3}
        case "anode_change_unreported":
            wrong = 1.0 if facts.named_instead else 0.3
            return {"log_wrong_anode": wrong, "log_entry_missing": 1.3 - wrong}
        case "anode_change_missed":
            return {"change_not_made": 1.0, "log_wrong_anode": 0.1}
        case "anode_slip":
            return {"rod_slipped": 1.0 - 0.5 * quiet_noise, "short_or_spike": 0.6 * quiet_noise}
        case "anode_spike":
            return {"short_or_spike": 0.4 + quiet_noise, "rod_slipped": 0.3 * step * (1.0 - quiet_noise)}
        case "anode_overload":
            return {
                "neighbour_weak": 0.4,
                "set_low": 0.5 if young else 0.2,
                "short_or_spike": 0.4 * quiet_noise,
                "face_uneven": 0.4,
            }
        case "anode_burnoff":
            return {"stub_or_joint_lost": 1.0, "rod_open_clamp": 0.4, "log_entry_missing": 0.2}
        case "anode_cracked":
            return {"carbon_lost": 1.2 - quiet_noise, "poor_clamp_contact": 0.2 + 0.5 * quiet_noise}
        case _:
            return {
                "poor_clamp_contact": 0.5 + quiet_noise + 0.3 * min(facts.returns, 2.0),
                "carbon_lost": 0.6 * (1.0 - quiet_noise) * step,
            }
