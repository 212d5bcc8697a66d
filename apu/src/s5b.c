/* Sunsoft's 5B: three squares, noise and an envelope, as of a YM2149F.
 *
 * Source: NESdev wiki, "Sunsoft 5B audio"; Yamaha, YM2149 data sheet.
 */
#include "expansion.h"

#include <math.h>
#include <string.h>

enum { NOISE_PERIOD = 6, SWITCHES = 7, VOLUMES = 8, ENVELOPE_PERIOD = 11, SHAPE = 13, UNIT = 16, TOP = 31 };
enum { HOLDS = 1, ALTERNATES = 2, ATTACKS = 4, CONTINUES = 8 }; /* bits of the envelope's shape */

static void power_on(void *state)
{
    S5b *chip = state;
    memset(chip, 0, sizeof *chip);
    chip->noise = 1;
    chip->registers[SWITCHES] = 0x3F;
    for (int i = 0; i < 3; i++)
        chip->tone_next[i] = UNIT;
    chip->noise_next = 2 * UNIT;
    chip->envelope_next = UNIT;
}

static int64_t at_least_one(int64_t period) { return period ? period : 1; }

static int64_t tone_period(const S5b *chip, int i)
{
    return UNIT * at_least_one(chip->registers[2 * i] | (chip->registers[2 * i + 1] & 15) << 8);
}

static void write(void *state, int64_t clock, int address, int value)
{
    S5b *chip = state;
    if (address < 0xE000) {
        chip->chosen = value & 15;
        chip->locked = value >> 4;
        return;
    }
    if (chip->locked)
        return;
    chip->registers[chip->chosen] = (uint8_t)value;
    if (chip->chosen == SHAPE) {
        chip->envelope_step = 0;
        chip->envelope_held = 0;
        chip->envelope_up = value & ATTACKS;
        chip->envelope_next = clock + UNIT * at_least_one(chip->registers[ENVELOPE_PERIOD] |
                                                          chip->registers[ENVELOPE_PERIOD + 1] << 8);
    }
}

static int64_t next(const void *state)
{
    const S5b *chip = state;
    int64_t first = chip->noise_next < chip->envelope_next ? chip->noise_next : chip->envelope_next;
    for (int i = 0; i < 3; i++)
        if (chip->tone_next[i] < first)
            first = chip->tone_next[i];
    return first;
}

/* The envelope's next value; at the end of a ramp its shape says what follows. */
static void step_envelope(S5b *chip)
{
    const int shape = chip->registers[SHAPE];
    if (chip->envelope_held || ++chip->envelope_step <= TOP)
        return;
    chip->envelope_step = 0;
    if (!(shape & CONTINUES)) { /* silent from now on */
        chip->envelope_up = 0;
        chip->envelope_step = TOP;
        chip->envelope_held = 1;
        return;
    }
    if (shape & ALTERNATES)
        chip->envelope_up = !chip->envelope_up;
    if (shape & HOLDS) { /* where the ramp ended, or at the other end */
        chip->envelope_step = TOP;
        chip->envelope_up = ((shape & ATTACKS) != 0) ^ ((shape & ALTERNATES) != 0);
        chip->envelope_held = 1;
    }
}

static void step(void *state)
{
    S5b *chip = state;
    const int64_t now = next(chip);
    for (int i = 0; i < 3; i++) {
        if (chip->tone_next[i] != now)
            continue;
        chip->high[i] = !chip->high[i];
        chip->tone_next[i] = now + tone_period(chip, i);
    }
    if (chip->noise_next == now) {
        chip->noise = chip->noise >> 1 | ((chip->noise ^ chip->noise >> 3) & 1) << 16;
        chip->noise_next = now + 2 * UNIT * at_least_one(chip->registers[NOISE_PERIOD] & 31);
    }
    if (chip->envelope_next == now) {
        step_envelope(chip);
        chip->envelope_next = now + UNIT * at_least_one(chip->registers[ENVELOPE_PERIOD] |
                                                        chip->registers[ENVELOPE_PERIOD + 1] << 8);
    }
}

/* Amplitudes of the envelope's 32 levels, 1.5 dB apart; volumes are every other one of them. */
static double amplitude(int64_t level)
{
    static const double steps[4] = {1.0, 0.8408964152537145, 0.7071067811865476, 0.5946035575013605}; /* 2^(-n/4) */
    return level < 2 ? 0.0 : ldexp(steps[(TOP - level) & 3], -(int)((TOP - level) >> 2));
}

static double level(const void *state)
{
    const S5b *chip = state;
    double sum = 0.0;
    for (int i = 0; i < 3; i++) {
        const int volume = chip->registers[VOLUMES + i];
        const int tone = chip->high[i] || chip->registers[SWITCHES] >> i & 1;
        const int noise = (chip->noise & 1) || chip->registers[SWITCHES] >> (i + 3) & 1;
        const int64_t ramp = chip->envelope_up ? chip->envelope_step : TOP - chip->envelope_step;
        if (tone && noise)
            sum += amplitude(volume & 16 ? ramp : 2 * (volume & 15) + 1);
    }
    return sum;
}

/* A square at volume 12, 9 dB below full volume, is 2.5 dB softer than one of the 2A03's pulses. */
const Board S5B_BOARD = {
    offsetof(Expansion, s5b), SQUARE * 0.7498942093324559 * 2.8284271247461903, power_on, write, next, step, level};
