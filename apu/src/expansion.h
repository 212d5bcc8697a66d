/* The sound chips of cartridges and of the Disk System, which play beside the 2A03.
 *
 * Each chip is a state that moves from step to step: between two steps, or writes, its output stays level.
 *
 * Source: NESdev wiki, "Expansion audio" and its pages on each chip.
 */
#ifndef LAKHNES_EXPANSION_H
#define LAKHNES_EXPANSION_H

#include <stddef.h>
#include <stdint.h>

enum { FDS, MMC5, N163, VRC6, VRC7, S5B, EXPANSIONS };

typedef struct {
    int64_t speed, gain, fixed, rises, next; /* fixed: whether its gain stays; next: the clock of its next step */
} FdsEnvelope;

typedef struct {
    int64_t next; /* the clock at which wave and modulation go on */
    FdsEnvelope envelopes[2]; /* volume, modulation */
    int64_t master_speed, envelopes_off;
    int64_t frequency, phase, halted; /* of the wave; 12 bits of a phase lie below a step */
    int64_t modulation_frequency, modulation_phase, modulation_halted, counter;
    int64_t off, writable, master, held; /* held: the wave's step that sounds while the wave is written */
    uint8_t wave[64], modulation[64];
} Fds;

typedef struct {
    int64_t next, timer, step, duty; /* of the sequencer */
    int64_t length, halt, enabled, constant, volume, start, divider, decay;
} Mmc5Pulse;

typedef struct {
    Mmc5Pulse pulses[2];
    int64_t frame_next, level; /* the next step of envelopes and lengths; what was written to the DAC */
    int64_t reads;             /* whether the DAC is set by reads rather than writes */
} Mmc5;

typedef struct {
    int64_t next, channel, address, rises;
    int64_t outputs[8]; /* what each channel gave at its last turn */
    uint8_t memory[128];
} Namco163;

typedef struct {
    int64_t next, timer, step, enabled, control; /* control: mode, duty and volume, or the saw's rate */
    int64_t sum;                                 /* of the saw */
} Vrc6Voice;

typedef struct {
    Vrc6Voice voices[3];
    int64_t halted, shift;
} Vrc6;

typedef struct {
    int64_t phase, state, attenuation; /* attenuation: of the envelope, in steps of 0.375 dB */
    int64_t outputs[2];                /* the last one and the one before */
} Vrc7Slot;

typedef struct {
    Vrc7Slot slots[2]; /* modulator and carrier */
    int64_t frequency, octave, sustained, key, instrument, volume;
} Vrc7Channel;

typedef struct {
    int64_t next, chosen, counter, output;
    Vrc7Channel channels[6];
    uint8_t custom[8]; /* the instrument that programs define */
} Vrc7;

typedef struct {
    int64_t chosen, locked;
    int64_t tone_next[3], high[3];
    int64_t noise_next, noise;
    int64_t envelope_next, envelope_step, envelope_up, envelope_held;
    uint8_t registers[16];
} S5b;

typedef struct {
    Fds fds;
    Mmc5 mmc5;
    Namco163 n163;
    Vrc6 vrc6;
    Vrc7 vrc7;
    S5b s5b;
} Expansion;

/* What a chip can do. `next` gives the clock of its next step, which `step` makes; `level` is what it puts out. */
typedef struct {
    size_t place; /* of its state in `Expansion` */
    double gain;  /* from its levels to those of the 2A03's mixer, whose pulses reach 0.149 */
    void (*power_on)(void *state);
    void (*write)(void *state, int64_t clock, int address, int value);
    int64_t (*next)(const void *state);
    void (*step)(void *state);
    double (*level)(const void *state);
} Board;

extern const Board FDS_BOARD, MMC5_BOARD, N163_BOARD, VRC6_BOARD, VRC7_BOARD, S5B_BOARD;

static const int64_t NO_STEP = INT64_C(1) << 62;

/* The amplitude of one of the 2A03's pulses at full volume, to which chips are compared. */
#define SQUARE (95.88 * 15 / (8128 + 100 * 15))

#endif
