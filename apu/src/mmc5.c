/* Nintendo's MMC5: two pulses as the 2A03 has them, without sweeps, and a DAC of 8 bits.
 *
 * Source: NESdev wiki, "MMC5 audio".
 */
#include "expansion.h"

#include <string.h>

enum { FRAME = 7457 }; /* clocks of a 240th of a second, in which envelopes and lengths step */

static const uint8_t LENGTHS[32] = {10,  254, 20, 2,  40, 4,  80, 6,  160, 8,  60, 10, 14, 12, 26, 14,
                                    12,  16,  24, 18, 48, 20, 96, 22, 192, 24, 72, 26, 16, 28, 32, 30};
static const uint8_t DUTIES[4] = {0x02, 0x06, 0x1E, 0xF9}; /* the lowest bit comes first */

static void power_on(void *state)
{
    Mmc5 *chip = state;
    memset(chip, 0, sizeof *chip);
    chip->frame_next = FRAME;
    for (int i = 0; i < 2; i++)
        chip->pulses[i].next = 2;
}

static void write(void *state, int64_t clock, int address, int value)
{
    Mmc5 *chip = state;
    Mmc5Pulse *pulse = &chip->pulses[address >> 2 & 1];
    (void)clock;
    if (address == 0x5010) {
        chip->reads = value & 1;
    } else if (address == 0x5011) {
        if (value && !chip->reads)
            chip->level = value;
    } else if (address == 0x5015) {
        for (int i = 0; i < 2; i++) {
            chip->pulses[i].enabled = value >> i & 1;
            if (!chip->pulses[i].enabled)
                chip->pulses[i].length = 0;
        }
    } else if (address < 0x5008) {
        switch (address & 3) {
        case 0:
            pulse->duty = value >> 6;
            pulse->halt = value >> 5 & 1;
            pulse->constant = value >> 4 & 1;
            pulse->volume = value & 15;
            break;
        case 2:
            pulse->timer = (pulse->timer & 0x700) | value;
            break;
        case 3:
            pulse->timer = (pulse->timer & 0xFF) | (value & 7) << 8;
            pulse->step = 0;
            pulse->start = 1;
            if (pulse->enabled)
                pulse->length = LENGTHS[value >> 3];
        }
    }
}

static int64_t next(const void *state)
{
    const Mmc5 *chip = state;
    int64_t first = chip->frame_next;
    for (int i = 0; i < 2; i++)
        if (chip->pulses[i].next < first)
            first = chip->pulses[i].next;
    return first;
}

static void step_frame(Mmc5Pulse *pulse)
{
    if (pulse->start) {
        pulse->start = 0;
        pulse->decay = 15;
        pulse->divider = pulse->volume;
    } else if (pulse->divider > 0) {
        pulse->divider--;
    } else {
        pulse->divider = pulse->volume;
        if (pulse->decay > 0)
            pulse->decay--;
        else if (pulse->halt)
            pulse->decay = 15;
    }
    if (pulse->length > 0 && !pulse->halt)
        pulse->length--;
}

static void step(void *state)
{
    Mmc5 *chip = state;
    const int64_t now = next(chip);
    for (int i = 0; i < 2; i++) {
        Mmc5Pulse *pulse = &chip->pulses[i];
        if (chip->frame_next == now)
            step_frame(pulse);
        if (pulse->next == now) {
            pulse->next = now + 2 * (pulse->timer + 1);
            pulse->step = (pulse->step + 1) & 7;
        }
    }
    if (chip->frame_next == now)
        chip->frame_next = now + FRAME;
}

static double level(const void *state)
{
    const Mmc5 *chip = state;
    double sum = 0.0;
    for (int i = 0; i < 2; i++) {
        const Mmc5Pulse *pulse = &chip->pulses[i];
        if (pulse->length > 0 && DUTIES[pulse->duty] >> pulse->step & 1)
            sum += (double)(pulse->constant ? pulse->volume : pulse->decay);
    }
    return sum + (double)chip->level * (30.0 / 255); /* the DAC reaches as far as both pulses */
}

const Board MMC5_BOARD = {offsetof(Expansion, mmc5), SQUARE / 15, power_on, write, next, step, level};
