"""Properties of the bath from its composition and temperature."""

from math import exp, log
from typing import NamedTuple

from twin.jit import kernel


class Bath(NamedTuple):
    """Composition of the liquid bath [wt%]; cryolite is what is left to 100."""

    excess_alf3_pct: float
    caf2_pct: float
    alumina_pct: float
    lif_pct: float = 0.0
    mgf2_pct: float = 0.0
    kf_pct: float = 0.0


@kernel
def liquidus_solheim(bath: Bath) -> float:
    """Temperature at which cryolite begins to freeze out [degC].

    Parameters
    ----------
    bath
        AlF3, CaF2, LiF below 20, MgF2 and KF below 5 wt%, alumina up to saturation. Negative excess AlF3
        counts as 0.

    Notes
    -----
    Solheim, Rolseth, Skybakmoen, Stoen, Sterten, Store, Met. Trans. B 27 (1996) 739. Its rival
    ``liquidus_jmm2014`` differs by 1 to 3 K: no superheat is known better than that.

    Examples
    --------
    >>> round(liquidus_solheim(Bath(10.0, 6.5, 3.0, 0.0, 0.3)), 1)
    959.4
    """
    A, C, O, L = max(bath.excess_alf3_pct, 0.0), bath.caf2_pct, bath.alumina_pct, bath.lif_pct  # noqa: E741
    return (
        1011.0
        + 0.50 * A
        - 0.13 * A**2.2
        - 3.45 * C / (1.0 + 0.0173 * C)
        + 0.124 * C * A
        - 0.00542 * (C * A) ** 1.5
        - 7.93 * O / (1.0 + 0.0936 * O - 0.0017 * O * O - 0.0023 * A * O)
        - 8.90 * L / (1.0 + 0.0047 * L + 0.0010 * A * A)
        - 3.95 * bath.mgf2_pct
        - 3.95 * bath.kf_pct
    )


@kernel
def liquidus_jmm2014(bath: Bath) -> float:
    """Temperature at which cryolite begins to freeze out of baths with lithium and potassium [degC].

    Parameters
    ----------
    bath
        Alumina 2 to 4, LiF, KF and CaF2 up to 7 wt%, cryolite ratio 2.2 to 3. MgF2 is not in the equation.
        Negative excess AlF3 counts as 0.

    Notes
    -----
    J. Min. Metall. B, 2014: the rival of ``liquidus_solheim`` for alumina rich in Li and K.

    Examples
    --------
    >>> round(liquidus_jmm2014(Bath(11.0, 5.0, 3.0)), 2)
    961.53
    """
    A, C, O, L = max(bath.excess_alf3_pct, 0.0), bath.caf2_pct, bath.alumina_pct, bath.lif_pct  # noqa: E741
    K = bath.kf_pct
    return (
        1011.0
        + 0.7 * A
        - 0.232 * A * A
        - 7.65 * O
        + 0.523 * O * O
        - 8.96 * L
        + 0.043 * L * L
        - 3.32 * K
        - 0.12 * K * K
        - 3.28 * C
        + 0.037 * C * C
        + 0.091 * A * L
        + 0.074 * A * K
        + 0.084 * A * C
        - 0.27 * O * L
    )


@kernel
def weight_ratio(bath: Bath) -> float:
    """Mass of NaF over mass of AlF3 in the bath [-]; the molar cryolite ratio is twice this."""
    base_pct = 100.0 - bath.alumina_pct - bath.caf2_pct - bath.lif_pct - bath.mgf2_pct - bath.kf_pct
    a = bath.excess_alf3_pct / base_pct
    return (1.0 - a) / (2.0 / 3.0 + a)


@kernel
def conductivity_hives(bath: Bath, bath_temp_C: float) -> float:
    """Electrical conductivity [S/cm].

    Notes
    -----
    Hives, Thonstad, Sterten, Fellner, Met. Trans. B 27 (1996) 255. Rival equations differ by 2.5 %, which is
    about 35 mV of cell voltage.

    Examples
    --------
    >>> round(conductivity_hives(Bath(11.0, 5.0, 3.0), 960.0), 3)
    2.152
    """
    return exp(
        1.977
        - 0.0200 * bath.alumina_pct
        - 0.0131 * bath.excess_alf3_pct
        - 0.0060 * bath.caf2_pct
        - 0.0106 * bath.mgf2_pct
        - 0.0019 * bath.kf_pct
        + 0.0121 * bath.lif_pct
        - 1204.3 / (bath_temp_C + 273.15)
    )


@kernel
def conductivity_haupin(bath: Bath, bath_temp_C: float) -> float:
    """Electrical conductivity [S/cm], the rival of ``conductivity_hives``.

    Notes
    -----
    Haupin, Light Metals 1998, 531; the bath ratio in it is the weight ratio.
    """
    naf_pct = 0.6 * (
        100.0 - bath.excess_alf3_pct - bath.alumina_pct - bath.caf2_pct - bath.lif_pct - bath.mgf2_pct
    )
    moles = naf_pct / 41.99 + bath.lif_pct / 25.94 - bath.mgf2_pct / 62.31
    ratio = 0.5 * moles / ((bath.excess_alf3_pct + 2.0 / 3.0 * naf_pct) / 83.98)
    return exp(
        1.9362
        + 0.3092 * ratio
        - 0.004132 * bath.caf2_pct
        - 0.01755 * bath.alumina_pct
        + 0.008123 * bath.lif_pct
        - 0.00398 * bath.mgf2_pct
        - 1751.1 / (bath_temp_C + 273.15)
    )


@kernel
def conductivity_wang(bath: Bath, bath_temp_C: float) -> float:
    """Electrical conductivity [S/cm], a rival of ``conductivity_hives``.

    Notes
    -----
    Wang, Peterson, Tabereaux, Light Metals 1992, quoted from memory in our reference (medium confidence). The
    ratio in it is the molar one: with the weight ratio it would read 15 % low.
    """
    return exp(
        1.9105
        + 0.1620 * 2.0 * weight_ratio(bath)
        - 0.01738 * bath.alumina_pct
        - 0.003955 * bath.caf2_pct
        - 0.009227 * bath.mgf2_pct
        + 0.02155 * bath.lif_pct
        - 1745.7 / (bath_temp_C + 273.15)
    )


@kernel
def conductivity_choudhary(bath: Bath, bath_temp_C: float) -> float:
    """Electrical conductivity [S/cm], a rival of ``conductivity_hives``.

    Notes
    -----
    Choudhary, J. Electrochem. Soc. 120 (1973) 381, quoted from memory in our reference (medium confidence);
    weight ratio.
    """
    return exp(
        2.0156
        + 0.4349 * weight_ratio(bath)
        - 0.0207 * bath.alumina_pct
        - 0.005 * bath.caf2_pct
        - 0.0166 * bath.mgf2_pct
        + 0.0178 * bath.lif_pct
        - 2068.4 / (bath_temp_C + 273.15)
    )


@kernel
def alumina_saturation(bath: Bath, bath_temp_C: float) -> float:
    """Alumina that the bath can dissolve [wt%], 850 to 1050 degC.

    Notes
    -----
    Skybakmoen, Solheim, Sterten, Met. Trans. B 28 (1997) 81.

    Examples
    --------
    >>> round(alumina_saturation(Bath(11.0, 5.0, 3.0), 960.0), 2)
    8.27
    """
    A, L = bath.excess_alf3_pct, bath.lif_pct
    a = 11.9 - 0.062 * A - 0.0031 * A * A - 0.50 * L - 0.20 * bath.caf2_pct - 0.30 * bath.mgf2_pct
    a += 42.0 * A * L / (2000.0 + A * L)
    B = 4.8 - 0.048 * A + 2.2 * L**1.5 / (10.0 + L + 0.001 * A**3)
    return a * exp(B * log(bath_temp_C / 1000.0))


@kernel
def alumina_activity(bath: Bath, bath_temp_C: float) -> float:
    """Activity of dissolved alumina [-], clamped below 5 % of saturation where the fit turns negative.

    Notes
    -----
    Fit of Dewing and Thonstad's data in Haupin, Light Metals 1998; 1.0007 at saturation.
    """
    s = max(bath.alumina_pct / alumina_saturation(bath, bath_temp_C), 0.05)
    return -0.03791 * s + 2.364 * s**2 - 2.194 * s**3 + 0.8686 * s**4


@kernel
def bath_density_kg_m3(bath: Bath, bath_temp_C: float) -> float:
    """Density of the liquid bath [kg/m3], 2050 to 2120 at 940 to 980 degC.

    Notes
    -----
    Own surrogate fitted to that published range (low confidence): the expression of Solheim et al., Aluminium
    76 (2000), was not within reach. Only the conversion between level and mass depends on it.

    Examples
    --------
    >>> round(bath_density_kg_m3(Bath(11.0, 5.0, 3.0), 960.0))
    2075
    """
    return 1e3 * (
        2.64
        - 0.0008 * bath_temp_C
        + 0.18 * weight_ratio(bath)
        - 0.008 * bath.alumina_pct
        + 0.005 * bath.caf2_pct
    )


@kernel
def metal_density_kg_m3(metal_temp_C: float) -> float:
    """Density of liquid aluminium [kg/m3], 659 to 1050 degC.

    Examples
    --------
    >>> round(metal_density_kg_m3(960.0))
    2300
    """
    return 2382.0 - 0.273 * (metal_temp_C - 659.0)
