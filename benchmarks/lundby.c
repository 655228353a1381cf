/* The model of benchmarks/lundby.py in C, as the rival that a compiled language sets: the same equations, RK4, float64.
 *
 * Two layouts are given the same chance, so that nobody has to take our word for which one C likes:
 * rk4_plain:  one array a state, a loop over cells, all four stages of a cell in one go;
 * rk4_blocks: the layout of our kernel, blocks of LANES cells, stage by stage.
 * exp and log are those of the C library, of which GCC takes the vector versions (libmvec) with -ffast-math; the power is
 * written with them because libmvec's own pow is dearer. Without ivdep GCC leaves rk4_plain scalar. */
#include <math.h>

#define LANES 16

static const double LATENT = 119495.0, SIDE = 17.92, LEDGE_W_mK = 2.5, BATH_LEDGE = 1200.0;
#define K0 2e-5
#define K1 (2.0 * LEDGE_W_mK * SIDE / LATENT)
#define K2 (BATH_LEDGE * SIDE / LATENT)
#define K3 1.7e-7
#define K4 0.02
#define K5 0.03
#define K6 4.43e-8
#define K10 (1.0 / BATH_LEDGE)
#define K11 (1.0 / (2.0 * LEDGE_W_mK))
#define K14 (0.1 / (2.0 * 6.5))
#define K15 (1.0 / (2.0 * LEDGE_W_mK))
#define K17 6e-7
#define K19 35.0
#define K20 (1.0 / 25.0)
#define ALPHA 5.66e-4
#define BETA 7.58e-4

typedef struct {
    double x1, x2, x3, x4, x5, x6, x7, x8;
} State;

typedef struct {
    double u1, u2, u3, u4, u5;
} Input;

static inline __attribute__((always_inline)) State rates(State s, Input u)
{
    double per_kg = 1.0 / (s.x2 + s.x3 + s.x4), c2 = s.x2 * per_kg, p2 = 100.0 * c2, p3 = 100.0 * s.x3 * per_kg;
    double g1 = 991.2 + 1.12 * p3 - 0.13 * exp(2.2 * log(p3)) + 0.061 * p3 * sqrt(p3)
                - 7.93 * p2 / (1.0 + 0.0936 * p3 - 0.0017 * p3 * p3 - 0.0023 * p3 * p2);
    double ohm_cm = exp(2068.4 / (273.0 + s.x6) + 2.07 * c2 - 2.496);
    double over = p2 - 2.2;
    double g3 = 0.531 + u.u2 * (6.958e-7 + u.u2 * (3.06e-18 * u.u2 - 2.51e-12))
                + (0.431 - 0.1437 * over) / (1.0 + 7.353 * over);
    double g4 = (0.5517 + 3.8168e-6 * u.u2) / (1.0 + 8.271e-6 * u.u2);
    double volt = (3.8168e-6 * g3 * g4 * u.u2 / (1.0 - g3) + u.u2 * u.u5 / 2620.0) * ohm_cm;
    double ledge_m = K0 * s.x1, superheat = s.x6 - g1, cooling = (g1 - s.x7) / ledge_m;
    double frozen = K1 * cooling - K2 * superheat;
    double to_wall = SIDE * (s.x7 - s.x8) / (K14 + K15 * ledge_m);
    double into_ledge = SIDE * (s.x6 - s.x7) / (K10 + K11 * ledge_m);
    double ledge_heat = SIDE / K15 * cooling - to_wall
                        - (g1 - s.x7) * (1320.0 * K2 * superheat - 1320.0 * K1 * cooling);
    State d;
    d.x1 = frozen;
    d.x2 = u.u1 - K3 * u.u2;
    d.x3 = u.u3 - K4 * u.u1;
    d.x4 = K5 * u.u1 - frozen;
    d.x5 = K6 * u.u2 - u.u4;
    d.x6 = ALPHA * per_kg * (u.u2 * volt - into_ledge - superheat * (1881.0 * K2 * superheat - 1881.0 * K1 * cooling));
    d.x7 = BETA / s.x1 * ledge_heat;
    d.x8 = K17 * (to_wall - SIDE / (K14 + K20) * (s.x8 - K19));
    return d;
}

static inline __attribute__((always_inline)) State moved(State s, double h, State d)
{
    State r = {s.x1 + h * d.x1, s.x2 + h * d.x2, s.x3 + h * d.x3, s.x4 + h * d.x4,
               s.x5 + h * d.x5, s.x6 + h * d.x6, s.x7 + h * d.x7, s.x8 + h * d.x8};
    return r;
}

void rk4_plain(double *restrict x, const double *restrict u, long n, double dt_s, long steps)
{
    double *restrict a1 = x, *restrict a2 = x + n, *restrict a3 = x + 2 * n, *restrict a4 = x + 3 * n;
    double *restrict a5 = x + 4 * n, *restrict a6 = x + 5 * n, *restrict a7 = x + 6 * n, *restrict a8 = x + 7 * n;
    for (long step = 0; step < steps; step++) {
#pragma GCC ivdep
        for (long i = 0; i < n; i++) {
            State s = {a1[i], a2[i], a3[i], a4[i], a5[i], a6[i], a7[i], a8[i]};
            Input in = {u[i], u[n + i], u[2 * n + i], u[3 * n + i], u[4 * n + i]};
            State a = rates(s, in), b = rates(moved(s, 0.5 * dt_s, a), in);
            State c = rates(moved(s, 0.5 * dt_s, b), in), d = rates(moved(s, dt_s, c), in);
            s = moved(moved(moved(moved(s, dt_s / 6.0, a), dt_s / 3.0, b), dt_s / 3.0, c), dt_s / 6.0, d);
            a1[i] = s.x1, a2[i] = s.x2, a3[i] = s.x3, a4[i] = s.x4;
            a5[i] = s.x5, a6[i] = s.x6, a7[i] = s.x7, a8[i] = s.x8;
        }
    }
}

void rk4_blocks(double *restrict x, const double *restrict u, long n_blocks, double dt_s, long steps)
{
    double y[8 * LANES], sum[8 * LANES];
    for (long step = 0; step < steps; step++)
        for (long block = 0; block < n_blocks; block++) {
            double *restrict xb = x + block * 8 * LANES;
            const double *restrict ub = u + block * 5 * LANES;
            for (int i = 0; i < 8 * LANES; i++)
                y[i] = sum[i] = xb[i];
            for (int stage = 0; stage < 4; stage++) {
                double weight = stage == 0 || stage == 3 ? dt_s / 6.0 : dt_s / 3.0;
                double ahead = stage < 2 ? 0.5 * dt_s : dt_s;
                for (int i = 0; i < LANES; i++) {
                    State s = {y[i], y[LANES + i], y[2 * LANES + i], y[3 * LANES + i],
                               y[4 * LANES + i], y[5 * LANES + i], y[6 * LANES + i], y[7 * LANES + i]};
                    Input in = {ub[i], ub[LANES + i], ub[2 * LANES + i], ub[3 * LANES + i], ub[4 * LANES + i]};
                    State d = rates(s, in);
#define ADD(k, field)                                          \
    sum[(k) * LANES + i] += weight * d.field;                  \
    y[(k) * LANES + i] = xb[(k) * LANES + i] + ahead * d.field;
                    ADD(0, x1) ADD(1, x2) ADD(2, x3) ADD(3, x4) ADD(4, x5) ADD(5, x6) ADD(6, x7) ADD(7, x8)
                }
            }
            for (int i = 0; i < 8 * LANES; i++)
                xb[i] = sum[i];
        }
}
