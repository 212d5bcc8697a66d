/* Namco's 163: up to eight waves of any length in 128 bytes of memory.
 *
 * The chip puts out one channel at a time, each for 15 clocks. Here a channel holds its level until its next turn and
 * all of them are averaged, which leaves out the whine of the switching, above 15 kHz.
 *
 * Source: NESdev wiki, "Namco 163 audio".
 */
#include "expansion.h"

#include <string.h>

enum { TURN = 15, LAST = 7 };

static void power_on(void *state)
{
    Namco163 *chip = state;
    memset(chip, 0, sizeof *chip);
    chip->next = TURN;
    chip->channel = LAST;
}

static int64_t count_of(const Namco163 *chip) { return (chip->memory[0x7F] >> 4 & 7) + 1; }

static void write(void *state, int64_t clock, int address, int value)
{
    Namco163 *chip = state;
    (void)clock;
    if (address >= 0xF800) {
        chip->address = value & 0x7F;
        chip->rises = value >> 7;
        return;
    }
    chip->memory[chip->address] = (uint8_t)value;
    if (chip->rises)
        chip->address = (chip->address + 1) & 0x7F;
}

static int64_t next(const void *state) { return ((const Namco163 *)state)->next; }

static void step(void *state)
{
    Namco163 *chip = state;
    uint8_t *of = chip->memory + 0x40 + 8 * chip->channel;
    const int64_t frequency = of[0] | of[2] << 8 | (of[4] & 3) << 16, length = (int64_t)(256 - (of[4] & 0xFC)) << 16;
    const int64_t phase = ((of[1] | of[3] << 8 | of[5] << 16) + frequency) % length;
    of[1] = (uint8_t)phase;
    of[3] = (uint8_t)(phase >> 8);
    of[5] = (uint8_t)(phase >> 16);
    const int64_t place = ((phase >> 16) + of[6]) & 0xFF;
    const int sample = chip->memory[place >> 1 & 0x7F] >> (place & 1 ? 4 : 0) & 15;
    chip->outputs[chip->channel] = (sample - 8) * (of[7] & 15);
    chip->channel = chip->channel > LAST + 1 - count_of(chip) ? chip->channel - 1 : LAST;
    chip->next += TURN;
}

static double level(const void *state)
{
    const Namco163 *chip = state;
    const int64_t count = count_of(chip);
    int64_t sum = 0;
    for (int64_t c = LAST + 1 - count; c <= LAST; c++)
        sum += chip->outputs[c];
    return (double)sum / (double)count;
}

/* A square of a single channel is 15.4 dB louder than one of the 2A03's pulses. */
const Board N163_BOARD = {
    offsetof(Expansion, n163), SQUARE * 5.8884365535558887 / 225, power_on, write, next, step, level};
