/* The 2A03 between two register writes: five channels as trains of evenly spaced steps.
 *
 * Between two events (a register write, a step of the frame counter) a channel does one thing: its sequencer goes on
 * at a fixed period. So the chip does not run clock by clock: each event closes the trains that it changes and opens
 * new ones.
 *
 * Source of the behaviour: NESdev wiki, "APU".
 */
#ifndef LAKHNES_CHIP_H
#define LAKHNES_CHIP_H

#include <stdint.h>

enum { P1, P2, TR, NO, DM, CHANNELS };

/* Facts about the machine, made by tables.py; see there. */
typedef struct {
    const int64_t *patterns, *noise_state, *noise_place, *noise_base, *noise_size; /* place, base, size: [2][32768] */
    const int64_t *lengths, *noise_periods, *dmc_periods, *frame_steps;            /* frame_steps: [2][5] */
    int64_t triangle_first, triangle_mean, noise_first, noise_states;
} Tables;

/* What a channel does from a clock on; after step k its level is volume * patterns[base + (index + k) % size]. */
typedef struct {
    int64_t begin, entry;         /* the clock where it begins, and the level from there */
    int64_t first, period, count; /* clocks of its steps: first, first + period, ... */
    int64_t base, index, size, volume;
} Train;

typedef struct {
    int64_t begin, entry, next, period, base, index, size, volume, running; /* the train that is open */
    int64_t timer, length, halt, enabled;
    int64_t constant, envelope, divider, decay, start;
    int64_t duty; /* of a pulse; the noise's mode */
    int64_t sweep, sweep_divider, sweep_reload;
    int64_t linear, linear_load, linear_reload, step_before; /* of the triangle */
} Channel;

typedef struct {
    int64_t next, timer, level, loop, sample_start, sample_size, address, left;
    int64_t buffer; /* -1 while it is empty */
    int64_t shift, bits, silent;
} Dmc;

typedef struct {
    const Tables *tables;
    Channel channels[DM];
    Dmc dmc;
    int64_t mode, step, origin; /* of the frame counter */
    uint8_t memory[65536];      /* the CPU's address space */
    Train *trains[CHANNELS];    /* what each channel does in the block at hand, in time */
    int64_t counts[CHANNELS];
} Chip;

void chip_power_on(Chip *chip, const Tables *tables);

/* No channel has more trains than this in so many clocks with so many writes. */
int64_t chip_most_trains(const Chip *chip, int64_t clocks, int64_t writes);

/* Runs the chip from a clock to another one and fills its trains; a write that is late happens at the start, one that
 * is early at the end. Registers are 0x00..0x17. */
void chip_advance(Chip *chip, int64_t from, int64_t until, int64_t n_writes, const int64_t *clocks,
                  const uint8_t *registers, const uint8_t *values);

/* What a channel gives at the chip's clock. */
int64_t chip_level(const Chip *chip, int channel);

/* What a read of $4015 gives, without the interrupt bits. */
int64_t chip_status(const Chip *chip);

#endif
