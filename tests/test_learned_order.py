"""The repetition of the published comparison: its pieces on cases that can be worked by hand, and its row."""

import json

import numpy as np
import pytest

from benchmarks import learned_models, learned_order, results, validate
from benchmarks.learned_models import ABLATED, DT_S, N_STATES, TRUE, Networks, rates_in
from benchmarks.lundby import rk4
from benchmarks.validation_row import MISSED, PASS


@pytest.fixture(scope="module")
def runs() -> learned_models.FloatArray:
    return learned_models.trajectories(3, seed=5, n_steps=3000)


def test_an_rfmse_by_hand_leaves_out_what_diverged():
    error = np.array([[[0.0, 1.0, 2.0, 9.0], [0.0, 2.0, 3.0, 9.0], [0.0, 2.0, 3.1, 0.0]]])
    left, lost = learned_order.an_rfmse(error, 1, 3)
    assert left.tolist() == [1.5, 2.5]
    assert lost == 1
    left, lost = learned_order.an_rfmse(error, 3, 4)
    assert left.tolist() == [0.0]
    assert lost == 2


def test_diverged_forecasts_do_not_flatter_the_median():
    error = np.zeros((1, 3, 5000))
    error[0, 0], error[0, 1], error[0, 2] = 0.5, 1.0, np.nan_to_num(np.nan, nan=10.0)
    row = learned_order.scored(error)[-1]
    assert (row["median"], row["median_with_diverged"]) == (0.75, 1.0)
    assert (row["diverged"], row["forecasts"], row["steps"]) == (1, 3, 5000)
    assert row["diverged_by_network"] == [1]


def test_runs_are_excited_within_the_published_ranges(runs: learned_models.FloatArray):
    alumina_kg_s, current_A, alf3_kg_s, tap_kg_s, acd_m = np.moveaxis(runs[..., N_STATES:], -1, 0)
    assert np.all((current_A >= 118e3) & (current_A <= 155e3))
    assert np.unique(current_A[0]).size > 1
    assert np.all(np.abs(acd_m - 0.05) <= 0.007 + 1e-12)
    # Feeds come as single steps, from the controller or from the excitation.
    assert 0.0 < np.mean(alumina_kg_s > 0.0) < 0.05
    assert alumina_kg_s.max() <= 22.0 + 20.0
    assert alf3_kg_s.max() <= 8.0 + 10.0
    assert np.any(tap_kg_s > 0.0)
    assert np.all((tap_kg_s == 0.0) | ((tap_kg_s >= 2.0) & (tap_kg_s <= 9.0)))
    short = learned_models.trajectories(1, seed=5, n_steps=50)
    assert np.array_equal(short, learned_models.trajectories(1, seed=5, n_steps=50))


def test_true_model_has_no_error_and_the_ablated_one_has(runs: learned_models.FloatArray):
    def true_step(x: learned_models.FloatArray, u: learned_models.FloatArray) -> learned_models.FloatArray:
        held = np.broadcast_to(u, (*x.shape[:-1], u.shape[-1]))
        return np.stack(rk4(TRUE.rates, DT_S)(np.moveaxis(x, -1, 0), np.moveaxis(held, -1, 0)), axis=-1)

    sd = learned_models.scaling(runs).sd[:N_STATES]
    assert learned_order.errors(true_step, runs, sd, members=1).max() < 1e-9
    assert learned_order.errors(learned_order.physics_step, runs, sd, members=1)[..., -1].min() > 0.01


def test_hybrid_that_corrects_nothing_is_the_physics_model(runs: learned_models.FloatArray):
    physics = rates_in(ABLATED.rates)
    hybrid = learned_models.learned(learned_models.blank(2), learned_models.scaling(runs), physics)
    x, u = runs[:, 700, :N_STATES], runs[:, 700, N_STATES:]
    assert np.array_equal(hybrid(np.stack([x, x]), u), np.stack([physics(x, u)] * 2))
    # A held liquidus moves ledge, cryolite and temperatures alone.
    same = physics(x, u) == rates_in(TRUE.rates)(x, u)
    assert np.all(same == np.array([0, 1, 1, 0, 1, 0, 0, 1], dtype=bool))


def test_learned_model_without_weights_gives_mean_rates(runs: learned_models.FloatArray):
    scale = learned_models.scaling(runs)
    plain = learned_models.learned(learned_models.blank(1), scale, None)
    assert plain(runs[None, :, 10, :N_STATES], runs[:, 10, N_STATES:])[0, 0] == pytest.approx(scale.rate_mean)


def test_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(2)
    networks, into = learned_models.started(2, rng), learned_models.blank(2)
    exact = Networks(
        networks.vector,
        tuple(weight.astype(np.float64) for weight in networks.weights),  # pyright: ignore[reportArgumentType]
        tuple(bias.astype(np.float64) for bias in networks.biases),  # pyright: ignore[reportArgumentType]
    )
    inputs, targets = rng.normal(size=(40, 13)), rng.normal(size=(40, 8))
    learned_models.descend(networks, into, inputs.astype(np.float32), targets.astype(np.float32))

    def loss() -> learned_models.FloatArray:
        said = learned_models.answers(exact, inputs)[-1]  # pyright: ignore[reportArgumentType]
        return np.mean((said - targets) ** 2, axis=(1, 2))

    for part, slope in zip((*exact.weights, *exact.biases), (*into.weights, *into.biases), strict=True):
        at = np.unravel_index(np.argmax(np.abs(slope)), slope.shape)
        kept = part[at]
        part[at] = kept + 1e-5
        above = loss()
        part[at] = kept - 1e-5
        below = loss()
        part[at] = kept
        # Only the network that owns the weight feels it.
        assert ((above - below) / 2e-5)[at[0]] == pytest.approx(slope[at], rel=1e-3)
        assert above[1 - at[0]] == below[1 - at[0]]


def test_training_learns_and_the_penalty_empties_the_networks(runs: learned_models.FloatArray):
    scale = learned_models.scaling(runs)
    inputs, targets = learned_models.learning_set(runs, scale, None)
    small: list[float] = []
    for l1 in (0.0, 1e-3):
        rng = np.random.default_rng(3)
        networks = learned_models.started(2, rng)
        before = np.mean((learned_models.answers(networks, inputs)[-1] - targets) ** 2)
        learned_models.train(networks, inputs, targets, l1, rng, epochs=20)
        assert np.mean((learned_models.answers(networks, inputs)[-1] - targets) ** 2) < 0.5 * before
        small.append(float(np.mean([np.mean(np.abs(weight) < 1e-2) for weight in networks.weights])))
    assert small[1] > 3.0 * small[0]


def test_row_judges_the_stored_figures_by_order_alone():
    figures = json.loads((results.FOLDER / "learned_order.json").read_text(encoding="utf-8"))
    assert (figures["epochs"], figures["training_runs"], figures["test_runs"]) == (100, 40, 100)
    last = {kind: model["rows"][-1] for kind, model in figures["models"].items()}
    assert set(last) == {*learned_order.KINDS, learned_order.PHYSICS}
    assert all(last[kind]["forecasts"] == 100 * figures["networks"] for kind in learned_order.KINDS)

    def verdict(
        sparse_costa: float | None, sparse_ddm: float | None, dense_lost: int, other_lost: int
    ) -> str:
        for kind in learned_order.KINDS:
            last[kind] |= {"median": 0.1, "diverged": other_lost}
        last["sparse CoSTA"]["median"], last["sparse DDM"]["median"] = sparse_costa, sparse_ddm
        last["dense DDM"]["diverged"] = dense_lost
        return validate.row_24(figures).verdict

    assert verdict(0.05, 0.25, 30, 10) == PASS
    assert verdict(0.25, 0.05, 30, 10) == MISSED
    assert verdict(0.05, 0.25, 10, 10) == MISSED
    assert verdict(None, 0.25, 30, 10) == MISSED
    assert verdict(0.05, None, 30, 10) == PASS
