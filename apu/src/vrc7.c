/* Konami's VRC7: six voices of two operators each, as of a YM2413, with instruments of its own.
 *
 * Source: NESdev wiki, "VRC7 audio", with the instruments that were read from a chip; Yamaha, YM2413 application
 * manual; reverse engineering of the YM2413 by A. Wiesner and W. van der Laan ("andete", ym2413-reverse-engineering).
 */
#include "expansion.h"

#include <math.h>
#include <string.h>

enum { SAMPLE = 36 }; /* clocks of a sample: 49,716 Hz */
enum { DAMP, ATTACK, DECAY, SUSTAIN, RELEASE };
enum { MUTE = 127, QUIET = 123 }; /* attenuations of envelopes, in steps of 0.375 dB */
enum { MODULATOR, CARRIER };

static const uint8_t INSTRUMENTS[15][8] = {
    {0x03, 0x21, 0x05, 0x06, 0xE8, 0x81, 0x42, 0x27}, {0x13, 0x41, 0x14, 0x0D, 0xD8, 0xF6, 0x23, 0x12},
    {0x11, 0x11, 0x08, 0x08, 0xFA, 0xB2, 0x20, 0x12}, {0x31, 0x61, 0x0C, 0x07, 0xA8, 0x64, 0x61, 0x27},
    {0x32, 0x21, 0x1E, 0x06, 0xE1, 0x76, 0x01, 0x28}, {0x02, 0x01, 0x06, 0x00, 0xA3, 0xE2, 0xF4, 0xF4},
    {0x21, 0x61, 0x1D, 0x07, 0x82, 0x81, 0x11, 0x07}, {0x23, 0x21, 0x22, 0x17, 0xA2, 0x72, 0x01, 0x17},
    {0x35, 0x11, 0x25, 0x00, 0x40, 0x73, 0x72, 0x01}, {0xB5, 0x01, 0x0F, 0x0F, 0xA8, 0xA5, 0x51, 0x02},
    {0x17, 0xC1, 0x24, 0x07, 0xF8, 0xF8, 0x22, 0x12}, {0x71, 0x23, 0x11, 0x06, 0x65, 0x74, 0x18, 0x16},
    {0x01, 0x02, 0xD3, 0x05, 0xC9, 0x95, 0x03, 0x02}, {0x61, 0x63, 0x0C, 0x00, 0x94, 0xC0, 0x33, 0xF6},
    {0x21, 0x72, 0x0D, 0x00, 0xC1, 0xD5, 0x56, 0x06},
};

/* Twice the frequency's multiple. */
static const int MULTIPLES[16] = {1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20, 24, 24, 30, 30};

/* How far notes are softer the higher they lie, by the upper bits of the frequency: in steps of 0.1875 dB at the octave
 * above the highest. */
static const int SOFTER[16] = {0, 32, 40, 45, 48, 51, 53, 55, 56, 58, 59, 60, 61, 62, 63, 64};

static const int VIBRATO[8][4] = {{0, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 2, 1}, {0, 1, 3, 1},
                                  {0, 2, 4, 2}, {0, 2, 5, 2}, {0, 3, 6, 3}, {0, 3, 7, 3}};

static const uint8_t ENVELOPE_STEPS[4][8] = {
    {0, 1, 0, 1, 0, 1, 0, 1}, {0, 1, 0, 1, 1, 1, 0, 1}, {0, 1, 1, 1, 0, 1, 1, 1}, {0, 1, 1, 1, 1, 1, 1, 1}};

static uint16_t sines[256], powers[256]; /* -log2 of a quarter of a sine, and 2^x - 1, in 256ths and 1024ths */

static void power_on(void *state)
{
    Vrc7 *chip = state;
    memset(chip, 0, sizeof *chip);
    chip->next = SAMPLE;
    for (int c = 0; c < 6; c++)
        for (int i = 0; i < 2; i++)
            chip->channels[c].slots[i] = (Vrc7Slot){.state = RELEASE, .attenuation = MUTE};
    for (int i = 0; i < 256; i++) {
        sines[i] = (uint16_t)lround(-log2(sin((i + 0.5) * 3.14159265358979323846 / 512)) * 256);
        powers[i] = (uint16_t)lround((exp2(i / 256.0) - 1) * 1024);
    }
}

static const uint8_t *instrument_of(const Vrc7 *chip, const Vrc7Channel *channel)
{
    return channel->instrument ? INSTRUMENTS[channel->instrument - 1] : chip->custom;
}

static void write(void *state, int64_t clock, int address, int value)
{
    Vrc7 *chip = state;
    (void)clock;
    if (address == 0x9010) {
        chip->chosen = value;
        return;
    }
    const int64_t chosen = chip->chosen;
    Vrc7Channel *channel = &chip->channels[chosen & 7];
    if (chosen < 8) {
        chip->custom[chosen] = (uint8_t)value;
    } else if ((chosen & 15) > 5) {
        return;
    } else if (chosen >> 4 == 1) {
        channel->frequency = (channel->frequency & 0x100) | value;
    } else if (chosen >> 4 == 2) {
        const int key = value >> 4 & 1;
        channel->frequency = (channel->frequency & 0xFF) | (value & 1) << 8;
        channel->octave = value >> 1 & 7;
        channel->sustained = value >> 5 & 1;
        if (key && !channel->key)
            channel->slots[MODULATOR].state = channel->slots[CARRIER].state = DAMP;
        else if (!key && channel->key)
            channel->slots[CARRIER].state = RELEASE;
        channel->key = key;
    } else if (chosen >> 4 == 3) {
        channel->instrument = value >> 4;
        channel->volume = value & 15;
    }
}

static int64_t next(const void *state) { return ((const Vrc7 *)state)->next; }

/* How many bits of the counter must be 0 where an envelope of this rate takes a step. */
static int64_t pause(int64_t rate, int64_t fastest) { return rate < fastest ? 13 - rate : 0; }

static int64_t due(int64_t counter, int64_t pause) { return !(counter & ((1 << pause) - 1)); }

/* How far an envelope falls with this sample. */
static int fall(int64_t rate, const uint8_t *steps, int64_t counter)
{
    if (rate == 15)
        return 2;
    if (rate == 14)
        return steps[(counter & 12) >> 1] + 1;
    if (rate == 13)
        return steps[(counter & 12) >> 1 | (counter & 1)];
    return due(counter, 13 - rate) ? steps[counter >> (13 - rate) & 7] : 0;
}

/* By how many bits what is left of an attack is shifted to make its step with this sample; 0 for none. */
static int climb(int64_t rate, const uint8_t *steps, int64_t counter)
{
    if (rate == 15)
        return 0;
    if (rate >= 12)
        return 16 - (int)rate - steps[(counter & 12) >> 1];
    return due(counter & ~3, 13 - rate) && steps[counter >> (13 - rate) & 7] ? 4 : 0;
}

static void step_envelope(const Vrc7 *chip, Vrc7Channel *channel, int which)
{
    Vrc7Slot *slot = &channel->slots[which];
    const uint8_t *instrument = instrument_of(chip, channel);
    const int flags = instrument[which], rates = instrument[4 + which], levels = instrument[6 + which];
    const int64_t scale = (channel->octave << 1 | channel->frequency >> 8) >> (flags & 0x10 ? 0 : 2);
    const int holds = flags & 0x20, after = levels & 15;
    const int64_t wanted[5] = {
        12, rates >> 4, rates & 15, holds ? 0 : after, channel->sustained ? 5 : holds ? after : 7};
    const int64_t sum = wanted[slot->state] + (scale >> 2), rate = sum < 15 ? sum : 15;
    const uint8_t *steps = ENVELOPE_STEPS[scale & 3];
    if (wanted[slot->state] && slot->state == ATTACK) {
        const int shift = slot->attenuation > 0 ? climb(rate, steps, chip->counter) : 0;
        if (shift)
            slot->attenuation -= (slot->attenuation >> shift) + 1;
        slot->attenuation = slot->attenuation > 0 ? slot->attenuation : 0;
    } else if (wanted[slot->state]) {
        slot->attenuation += fall(rate, steps, chip->counter);
        slot->attenuation = slot->attenuation < MUTE ? slot->attenuation : MUTE;
    }
    if (slot->state == DAMP && slot->attenuation >= QUIET && due(chip->counter, pause(rate, 13))) {
        slot->state = (rates >> 4) + (scale >> 2) >= 15 ? DECAY : ATTACK;
        slot->attenuation = slot->state == DECAY ? 0 : slot->attenuation;
        if (which == CARRIER)
            channel->slots[MODULATOR].phase = channel->slots[CARRIER].phase = 0;
    } else if (slot->state == ATTACK && slot->attenuation == 0) {
        slot->state = DECAY;
    } else if (slot->state == DECAY && slot->attenuation >> 3 == levels >> 4) {
        slot->state = SUSTAIN;
    }
}

static void step_phase(const Vrc7 *chip, Vrc7Channel *channel, int which)
{
    const int flags = instrument_of(chip, channel)[which];
    const int64_t at = chip->counter >> 10 & 7;
    int64_t bend = VIBRATO[channel->frequency >> 6][at & 3];
    bend = !(flags & 0x40) ? 0 : at & 4 ? -bend : bend;
    const int64_t advance = (channel->frequency * 2 + bend) * MULTIPLES[flags & 15];
    channel->slots[which].phase += (advance << channel->octave) >> 2;
    channel->slots[which].phase &= (1 << 19) - 1;
}

/* A slot's attenuation beside its envelope: its level, by pitch, and tremolo. */
static int64_t softened(const Vrc7 *chip, const Vrc7Channel *channel, int which)
{
    const uint8_t *instrument = instrument_of(chip, channel);
    const int key_level = instrument[2 + which] >> 6;
    int64_t sum = which == CARRIER ? channel->volume << 3 : (instrument[2] & 0x3F) << 1;
    const int64_t softer = 2 * SOFTER[channel->frequency >> 5] - 16 * (8 - channel->octave);
    if (key_level && softer > 0)
        sum += softer >> (3 - key_level);
    if (instrument[which] & 0x80) {
        const int64_t at = (chip->counter >> 6) % 210;
        sum += (at <= 106 ? at : 210 - at) >> 3;
    }
    return sum;
}

/* A slot's output at a phase of 10 bits. */
static int64_t wave(const Vrc7 *chip, const Vrc7Channel *channel, int which, int64_t phase)
{
    const Vrc7Slot *slot = &channel->slots[which];
    const int half_only = instrument_of(chip, channel)[3] & (which == CARRIER ? 0x10 : 0x08);
    const int falls = (int)(phase >> 9 & 1), back = (int)(phase >> 8 & 1);
    if (slot->attenuation > QUIET || (falls && half_only))
        return 0;
    int64_t soft = slot->attenuation + softened(chip, channel, which);
    soft = soft < MUTE ? soft : MUTE;
    const int64_t at = sines[back ? 255 - (phase & 255) : phase & 255] + (soft << 4);
    const int64_t size = (powers[255 - (at & 255)] + 1024) >> (at >> 8);
    return 2 * (falls ? ~size : size);
}

static void step(void *state)
{
    Vrc7 *chip = state;
    chip->next += SAMPLE;
    chip->counter++;
    chip->output = 0;
    for (int c = 0; c < 6; c++) {
        Vrc7Channel *channel = &chip->channels[c];
        Vrc7Slot *modulator = &channel->slots[MODULATOR], *carrier = &channel->slots[CARRIER];
        const int feedback = instrument_of(chip, channel)[3] & 7;
        for (int i = 0; i < 2; i++) {
            step_envelope(chip, channel, i);
            step_phase(chip, channel, i);
        }
        const int64_t own = feedback ? (modulator->outputs[0] + modulator->outputs[1]) >> (9 - feedback) : 0;
        modulator->outputs[1] = modulator->outputs[0];
        modulator->outputs[0] = wave(chip, channel, MODULATOR, ((modulator->phase >> 9) + own) & 1023);
        chip->output += wave(chip, channel, CARRIER, ((carrier->phase >> 9) + 2 * (modulator->outputs[0] >> 1)) & 1023) >> 1;
    }
}

static double level(const void *state) { return (double)((const Vrc7 *)state)->output; }

/* A full voice, 4,084 from peak to peak, is 11.8 dB louder than one of the 2A03's pulses. */
const Board VRC7_BOARD = {offsetof(Expansion, vrc7), SQUARE * 3.877 / 4084, power_on, write, next, step, level};
