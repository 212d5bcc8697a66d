/* The Famicom Disk System's channel: a wave of 64 steps, whose pitch a second table modulates.
 *
 * Source: NESdev wiki, "FDS audio".
 */
#include "expansion.h"

#include <string.h>

enum { TICK = 16, VOLUME = 0, DEPTH = 1, LOUDEST = 32, PHASE_BITS = 12, PHASES = 64 << PHASE_BITS };

static const double MASTERS[4] = {1.0, 2.0 / 3, 2.0 / 4, 2.0 / 5};

static void power_on(void *state)
{
    Fds *chip = state;
    memset(chip, 0, sizeof *chip);
    chip->next = TICK;
    chip->master_speed = 0xE8; /* as the console's own program leaves it */
    chip->halted = chip->modulation_halted = 1;
    for (int i = 0; i < 2; i++)
        chip->envelopes[i] = (FdsEnvelope){.fixed = 1, .next = NO_STEP};
}

/* Lets an envelope begin a whole period from now, or stand still. */
static void start(Fds *chip, FdsEnvelope *envelope, int64_t clock)
{
    int stands = envelope->fixed || chip->envelopes_off || chip->halted || !chip->master_speed;
    envelope->next = stands ? NO_STEP : clock + 8 * (envelope->speed + 1) * (chip->master_speed + 1);
}

static void write_envelope(Fds *chip, FdsEnvelope *envelope, int64_t clock, int value)
{
    envelope->fixed = value >> 7;
    envelope->rises = value >> 6 & 1;
    envelope->speed = value & 0x3F;
    if (envelope->fixed)
        envelope->gain = envelope->speed;
    start(chip, envelope, clock);
}

static int64_t place(const Fds *chip) { return chip->phase >> PHASE_BITS; }

static void write_modulation(Fds *chip, int value)
{
    for (int i = 0; chip->modulation_halted && i < 2; i++) {
        chip->modulation[chip->modulation_phase >> PHASE_BITS] = value & 7;
        chip->modulation_phase = (chip->modulation_phase + (1 << PHASE_BITS)) % PHASES;
    }
}

static void write(void *state, int64_t clock, int address, int value)
{
    Fds *chip = state;
    if (address == 0x4023)
        chip->off = !(value & 2);
    if (chip->off)
        return;
    if (0x4040 <= address && address < 0x4080 && chip->writable)
        chip->wave[address - 0x4040] = value & 0x3F;
    switch (address) {
    case 0x4080:
        write_envelope(chip, &chip->envelopes[VOLUME], clock, value);
        break;
    case 0x4082:
        chip->frequency = (chip->frequency & 0xF00) | value;
        break;
    case 0x4083:
        chip->frequency = (chip->frequency & 0x0FF) | (value & 15) << 8;
        chip->halted = value >> 7;
        chip->envelopes_off = value >> 6 & 1;
        if (chip->halted)
            chip->phase = 0;
        for (int i = 0; i < 2; i++)
            if (chip->envelopes[i].next == NO_STEP || chip->halted || chip->envelopes_off)
                start(chip, &chip->envelopes[i], clock);
        break;
    case 0x4084:
        write_envelope(chip, &chip->envelopes[DEPTH], clock, value);
        break;
    case 0x4085:
        chip->counter = (value & 0x7F) - (value & 0x40 ? 0x80 : 0);
        break;
    case 0x4086:
        chip->modulation_frequency = (chip->modulation_frequency & 0xF00) | value;
        break;
    case 0x4087:
        chip->modulation_frequency = (chip->modulation_frequency & 0x0FF) | (value & 15) << 8;
        chip->modulation_halted = value >> 7;
        if (chip->modulation_halted)
            chip->modulation_phase &= ~((1 << PHASE_BITS) - 1);
        break;
    case 0x4088:
        write_modulation(chip, value);
        break;
    case 0x4089:
        if (value & 0x80 && !chip->writable)
            chip->held = chip->wave[place(chip)];
        chip->writable = value >> 7;
        chip->master = value & 3;
        break;
    case 0x408A:
        chip->master_speed = value;
        for (int i = 0; i < 2; i++)
            start(chip, &chip->envelopes[i], clock);
    }
}

static int64_t next(const void *state)
{
    const Fds *chip = state;
    int64_t first = chip->next;
    for (int i = 0; i < 2; i++)
        if (chip->envelopes[i].next < first)
            first = chip->envelopes[i].next;
    return first;
}

/* How far the wave goes on in a tick, its pitch bent by counter and depth. */
static int64_t bent(const Fds *chip)
{
    const int64_t depth = chip->counter * chip->envelopes[DEPTH].gain, rest = depth & 15;
    int64_t bend = (depth - rest) / 16;
    if (rest > 0 && !(bend & 0x80))
        bend += chip->counter < 0 ? -1 : 2;
    while (bend >= 192)
        bend -= 256;
    while (bend < -64)
        bend += 256;
    bend *= chip->frequency;
    const int64_t below = bend & 63;
    return chip->frequency + (bend - below) / 64 + (below >= 32);
}

static void step_modulation(Fds *chip)
{
    static const int steps[8] = {0, 1, 2, 4, 0, -4, -2, -1};
    const int64_t phase = chip->modulation_phase + chip->modulation_frequency;
    if (phase >> PHASE_BITS != chip->modulation_phase >> PHASE_BITS) {
        const int what = chip->modulation[chip->modulation_phase >> PHASE_BITS];
        chip->counter = what == 4 ? 0 : ((chip->counter + steps[what] + 0x40) & 0x7F) - 0x40;
    }
    chip->modulation_phase = phase % PHASES;
}

static void step_envelope(Fds *chip, FdsEnvelope *envelope, int64_t clock)
{
    if (envelope->rises && envelope->gain < LOUDEST)
        envelope->gain++;
    else if (!envelope->rises && envelope->gain > 0)
        envelope->gain--;
    start(chip, envelope, clock);
}

static void step(void *state)
{
    Fds *chip = state;
    const int64_t now = next(chip);
    for (int i = 0; i < 2; i++)
        if (chip->envelopes[i].next == now)
            step_envelope(chip, &chip->envelopes[i], now);
    if (chip->next != now)
        return;
    chip->next = now + TICK;
    if (!chip->modulation_halted)
        step_modulation(chip);
    if (!chip->halted)
        chip->phase = (chip->phase + bent(chip) + PHASES) % PHASES;
}

static double level(const void *state)
{
    const Fds *chip = state;
    const int64_t gain = chip->envelopes[VOLUME].gain < LOUDEST ? chip->envelopes[VOLUME].gain : LOUDEST;
    const int64_t wave = chip->writable ? chip->held : chip->wave[place(chip)];
    return (double)(wave * gain) * MASTERS[chip->master];
}

/* A square at full volume is 7.6 dB louder than one of the 2A03's pulses, 6.9 dB after the low pass. */
const Board FDS_BOARD = {
    offsetof(Expansion, fds), SQUARE * 2.4 / (63 * 32), power_on, write, next, step, level};
