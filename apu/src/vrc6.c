/* Konami's VRC6: two pulses with eight duties, and a saw.
 *
 * Source: NESdev wiki, "VRC6 audio".
 */
#include "expansion.h"

#include <string.h>

enum { SAW = 2 };

static void power_on(void *state)
{
    Vrc6 *chip = state;
    memset(chip, 0, sizeof *chip);
    for (int i = 0; i < 3; i++)
        chip->voices[i].next = NO_STEP;
}

static int64_t period_of(const Vrc6 *chip, const Vrc6Voice *voice) { return (voice->timer >> chip->shift) + 1; }

/* Starts or stops voices whose switches changed; one that runs finishes the period that it is in. */
static void follow(Vrc6 *chip, int64_t clock)
{
    for (int i = 0; i < 3; i++) {
        Vrc6Voice *voice = &chip->voices[i];
        int runs = voice->enabled && !chip->halted;
        if (!voice->enabled)
            voice->step = voice->sum = 0;
        if (!runs)
            voice->next = NO_STEP;
        else if (voice->next == NO_STEP)
            voice->next = clock + period_of(chip, voice);
    }
}

static void write(void *state, int64_t clock, int address, int value)
{
    Vrc6 *chip = state;
    const int number = (address >> 12) - 9, part = address & 3;
    if (address == 0x9003) {
        chip->halted = value & 1;
        chip->shift = value & 4 ? 8 : value & 2 ? 4 : 0;
    } else if (0 <= number && number < 3 && part < 3) {
        Vrc6Voice *voice = &chip->voices[number];
        if (part == 0) {
            voice->control = value;
        } else if (part == 1) {
            voice->timer = (voice->timer & 0xF00) | value;
        } else {
            voice->timer = (voice->timer & 0x0FF) | (value & 15) << 8;
            voice->enabled = value >> 7;
        }
    }
    follow(chip, clock);
}

static int64_t next(const void *state)
{
    const Vrc6 *chip = state;
    int64_t first = chip->voices[0].next;
    for (int i = 1; i < 3; i++)
        if (chip->voices[i].next < first)
            first = chip->voices[i].next;
    return first;
}

static void step(void *state)
{
    Vrc6 *chip = state;
    const int64_t now = next(chip);
    for (int i = 0; i < 3; i++) {
        Vrc6Voice *voice = &chip->voices[i];
        if (voice->next != now)
            continue;
        voice->next = now + period_of(chip, voice);
        if (i < SAW) {
            voice->step = (voice->step + 1) & 15;
        } else {
            voice->step = (voice->step + 1) % 14;
            if (voice->step == 0)
                voice->sum = 0;
            else if (voice->step % 2 == 0)
                voice->sum = (voice->sum + (voice->control & 0x3F)) & 0xFF;
        }
    }
}

static double level(const void *state)
{
    const Vrc6 *chip = state;
    int64_t sum = chip->voices[SAW].sum >> 3;
    for (int i = 0; i < SAW; i++) {
        const Vrc6Voice *voice = &chip->voices[i];
        /* the sequencer counts from 15 down */
        int high = voice->control & 0x80 || 15 - voice->step <= (voice->control >> 4 & 7);
        if (voice->enabled && high)
            sum += voice->control & 15;
    }
    return (double)sum;
}

const Board VRC6_BOARD = {offsetof(Expansion, vrc6), SQUARE / 15, power_on, write, next, step, level};
