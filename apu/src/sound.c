/* The chip's output as band-limited sound.
 *
 * The mixer's output is a staircase whose steps lie between samples. Each step adds a short band-limited impulse of its
 * height to a buffer, shifted by the step's fraction of a sample; the running sum of the buffer is the staircase
 * without what lies above the cutoff, so nothing folds back as an alias. The filters come after.
 *
 * Source: Stilson and Smith 1996, "Alias-free digital synthesis of classic analog waveforms"; Brandt 2001, "Hard sync
 * without aliasing"; NESdev wiki, "APU Mixer".
 */
#include "chip.h"
#include "expansion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* One library for all processors of a kind: where the loader can choose, each gets the widest vectors that it has. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define WIDEST __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define WIDEST
#endif

enum {
    TAPS = 32,       /* samples that one step spreads over */
    NOISE_TAPS = 8,  /* the same of the noise */
    LATENCY = 15,    /* samples by which the sound is late, so that a step can begin before its time */
    PHASES = 256,    /* of a sample, at which impulses are known */
    BOX_PERIOD = 16, /* noise at this period or below is white up to far above any sample rate */
    FILTER = 5,      /* what the filters remember */
    HALVES = 2,      /* of the 2A03's mixer */
    ROWS = HALVES + EXPANSIONS,
};

static const double WEIGHTS[CHANNELS] = {1.0, 1.0, 0.5 / 8227, 1.0 / 12241, 1.0 / 22638}; /* in the mixer's halves */

/* In the order of expansion.h. */
static const Board *const BOARDS[EXPANSIONS] = {&FDS_BOARD, &MMC5_BOARD, &N163_BOARD, &VRC6_BOARD, &VRC7_BOARD, &S5B_BOARD};

typedef struct {
    int64_t clock_hz, sample_rate;
    int64_t separate;         /* whether each channel and each chip has a bus of its own */
    int64_t chips;            /* a bit for each of expansion.h that is there */
    double gain;              /* of the half of the mixer with triangle, noise and DMC */
    double coefficients[7];   /* see finish */
    const double *tone;       /* [PHASES + 1][TAPS] the impulse at each fraction of a sample */
    const double *noise;      /* [PHASES + 1][NOISE_TAPS] */
    int32_t steady;           /* whether the steady part of the output is kept, which needs filters without high pass */
} Settings;

typedef struct {
    int64_t levels[CHANNELS]; /* what each channel gives; 0 for those that are not heard here */
    double tail[ROWS][TAPS];  /* of the steps before, reaching into the next block: of each half of the mixer and chip */
    double filter[FILTER];
} Bus;

enum { BUSES = CHANNELS + EXPANSIONS };

typedef struct {
    Chip chip;
    Settings settings;
    Expansion expansion;
    double levels[EXPANSIONS]; /* what each chip gives */
    double smooth;             /* the memory of the low pass of the Disk System */
    Bus buses[BUSES];
} Apu;

/* Whether a bus has a channel or, from CHANNELS on, a chip: all of them, or one where they are separate. */
static int heard(const Apu *apu, int bus, int channel)
{
    const int there = channel < CHANNELS || apu->settings.chips >> (channel - CHANNELS) & 1;
    return there && (!apu->settings.separate || bus == channel);
}

/* Whether a bus is used. */
static int sounds_at_all(const Apu *apu, int bus) { return apu->settings.separate ? heard(apu, bus, bus) : bus == 0; }

static void *state_of(Apu *apu, int chip) { return (char *)&apu->expansion + BOARDS[chip]->place; }

/* What one half of the mixer makes of its weighted levels: the pulses (0), or the others (1). */
static inline double mixed(int half, double x, double gain)
{
    return half == 0 ? 95.88 * x / (8128.0 + 100.0 * x) : gain * 159.79 * x / (1.0 + 100.0 * x);
}

/* Adds one step; n_taps is a constant wherever this is inlined. */
static inline void spread(double *out, double fraction, double height, const double *kernel, int n_taps)
{
    double place = fraction * PHASES;
    int64_t row = (int64_t)place;
    double share = place - (double)row;
    double near = height * (1.0 - share), far = height * share;
    const double *low = kernel + row * n_taps, *high = low + n_taps;
    for (int tap = 0; tap < n_taps; tap++)
        out[tap] += near * low[tap] + far * high[tap];
}

/* The frame in which a clock lies, and the fraction of it that has passed by then. In whole numbers, so that it is the
 * same in blocks of any size. ratio: 1 / clock_hz. */
static inline double frame_of(int64_t clock, int64_t clock_hz, int64_t sample_rate, double ratio, int64_t *frame)
{
    const int64_t time = clock * sample_rate;
    int64_t start = (int64_t)((double)time * ratio);
    int64_t rest = time - start * clock_hz;
    if (rest < 0) {
        start--;
        rest += clock_hz;
    } else if (rest >= clock_hz) {
        start++;
        rest -= clock_hz;
    }
    *frame = start;
    return (double)rest * ratio;
}

/* The channel of a half of the mixer whose turn is next, the first of those that are due at one clock. */
static inline int next_channel(const int64_t *due, int first, int last)
{
    int c = first;
    for (int other = first + 1; other <= last; other++)
        if (due[other] < due[c])
            c = other;
    return c;
}

typedef struct {
    int64_t count;
    const int64_t *clocks;
    const uint8_t *chips;
    const uint16_t *addresses;
    const uint8_t *values;
} ChipWrites;

/* Adds the steps of the chip's trains to a buffer [2][size], a row for each half of the mixer, so that a sample adds up
 * in the same order in blocks of any size; returns how many there were. */
WIDEST static int64_t add_steps(const Apu *apu, Bus *bus, const int *sounds, int64_t frame, double *restrict buffers,
                                int64_t size)
{
    const Settings *set = &apu->settings;
    const Tables *t = apu->chip.tables;
    const int64_t never = INT64_C(1) << 62, clock_hz = set->clock_hz, sample_rate = set->sample_rate;
    const int64_t *counts = apu->chip.counts;
    const double ratio = 1.0 / (double)clock_hz, gain = set->gain;
    int64_t n_steps = 0;
    int64_t at[CHANNELS] = {0};                     /* the train that a channel is in */
    int64_t step[CHANNELS] = {-1, -1, -1, -1, -1};  /* its next step; -1 for its entry */
    int64_t places[CHANNELS] = {0};                 /* where that is in its pattern */
    int64_t due[CHANNELS];                          /* the clock of it */
    for (int c = 0; c < CHANNELS; c++)
        due[c] = sounds[c] && counts[c] > 0 ? apu->chip.trains[c][0].begin : never;
    for (int half = 0; half < 2; half++) {
        const int first = half ? TR : P1, last = half ? DM : P2;
        double *restrict buffer = buffers + half * size;
        double before = 0.0;
        for (int c = first; c <= last; c++)
            before += (double)bus->levels[c] * WEIGHTS[c];
        before = mixed(half, before, gain);
        for (;;) {
            const int c = next_channel(due, first, last);
            int64_t clock = due[c];
            if (clock == never)
                break;
            int64_t limit = never; /* the turn of the next channel */
            double others = 0.0;   /* what the others give meanwhile */
            for (int other = first; other <= last; other++) {
                if (other == c)
                    continue;
                int64_t turn = due[other] + (other > c);
                limit = turn < limit ? turn : limit;
                others += (double)bus->levels[other] * WEIGHTS[other];
            }
            const Train train = apu->chip.trains[c][at[c]];
            const int is_noise = train.size == t->noise_states;
            int64_t k = step[c], place = places[c], now = bus->levels[c];
            while (clock < limit) {
                int64_t level;
                if (k < 0) {
                    level = train.entry;
                    place = train.index % train.size;
                } else {
                    level = train.volume * t->patterns[train.base + place];
                    place = place + 1 < train.size ? place + 1 : 0;
                }
                if (level != now) {
                    now = level;
                    n_steps++;
                    const double after = mixed(half, others + (double)level * WEIGHTS[c], gain);
                    int64_t start;
                    const double fraction = frame_of(clock, clock_hz, sample_rate, ratio, &start);
                    const double height = after - before;
                    double *out = buffer + (start - frame);
                    if (!is_noise) {
                        spread(out, fraction, height, set->tone, TAPS);
                    } else if (train.period > BOX_PERIOD) {
                        spread(out + TAPS / 2 - NOISE_TAPS / 2, fraction, height, set->noise, NOISE_TAPS);
                    } else {
                        const double share = fraction * height;
                        out[LATENCY] += height - share;
                        out[LATENCY + 1] += share;
                    }
                    before = after;
                }
                if (++k == train.count) {
                    at[c]++;
                    k = -1;
                    clock = at[c] < counts[c] ? apu->chip.trains[c][at[c]].begin : never;
                    break;
                }
                clock = k == 0 ? train.first : clock + train.period;
            }
            step[c] = k;
            places[c] = place;
            bus->levels[c] = now;
            due[c] = clock;
        }
    }
    return n_steps;
}

/* Adds the steps of a chip to a buffer, in which it is alone, and moves it on to a clock. */
WIDEST static int64_t add_chip_steps(Apu *apu, int number, int64_t from, int64_t until, const ChipWrites *writes,
                                     int64_t frame, double *restrict buffer)
{
    const Settings *set = &apu->settings;
    const Board *board = BOARDS[number];
    const double ratio = 1.0 / (double)set->clock_hz;
    void *state = state_of(apu, number);
    double before = apu->levels[number];
    int64_t n_steps = 0;
    for (int64_t i = 0;;) {
        while (i < writes->count && writes->chips[i] != number)
            i++;
        int64_t write = INT64_C(1) << 62;
        if (i < writes->count) {
            write = writes->clocks[i] < until ? writes->clocks[i] : until - 1;
            write = write > from ? write : from;
        }
        const int64_t step = board->next(state);
        const int64_t now = write < step ? write : step;
        if (now >= until)
            break;
        if (write < step) {
            board->write(state, now, writes->addresses[i], writes->values[i]);
            i++;
        } else {
            board->step(state);
        }
        const double level = board->level(state);
        if (level != before) {
            int64_t start;
            const double fraction = frame_of(now, set->clock_hz, set->sample_rate, ratio, &start);
            spread(buffer + (start - frame), fraction, (level - before) * board->gain, set->tone, TAPS);
            before = level;
            n_steps++;
        }
    }
    apu->levels[number] = before;
    return n_steps;
}

static int all_zero(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0.0)
            return 0;
    return 1;
}

/* The running sum of two buffers [n], added up, through two high passes and a low pass, into out [n].
 *
 * frame: samples before it; at each 64th of all samples what has died away becomes silence. c: the pole and the gain of
 * two high passes, then two zeros and the pole of the low pass. memory: [FILTER], brought up to date. */
EXPORT void apu_finish(const double *one, const double *other, const double *c, double *memory, int64_t frame, int64_t n,
                       float *out)
{
    double first = memory[0], x1 = memory[1], second = memory[2], x2 = memory[3], last = memory[4];
    int64_t end = 0;
    for (int64_t i = 0; i < n; i = end) {
        end = i + 64 - ((frame + i) & 63);
        end = end < n ? end : n;
        if (((frame + i) & 63) == 0 && fabs(first) + fabs(x1) + fabs(second) + fabs(x2) + fabs(last) < 1e-18)
            first = x1 = second = x2 = last = 0.0;
        if (first == 0.0 && x1 == 0.0 && second == 0.0 && x2 == 0.0 && last == 0.0 && all_zero(one + i, end - i) &&
            all_zero(other + i, end - i)) {
            memset(out + i, 0, (size_t)(end - i) * sizeof *out);
            continue;
        }
        for (int64_t j = i; j < end; j++) {
            first = c[0] * first + c[1] * (one[j] + other[j]);
            second = c[2] * second + c[3] * (first - x1);
            x1 = first;
            last = c[6] * last + c[4] * second + c[5] * x2;
            x2 = second;
            out[j] = (float)last;
        }
    }
    memory[0] = first, memory[1] = x1, memory[2] = second, memory[3] = x2, memory[4] = last;
}

EXPORT int64_t apu_size(void) { return (int64_t)sizeof(Apu); }

EXPORT void apu_power_on(Apu *apu, const Tables *tables, const Settings *settings)
{
    memset(apu, 0, sizeof *apu);
    chip_power_on(&apu->chip, tables);
    apu->settings = *settings;
    for (int e = 0; e < EXPANSIONS; e++) {
        BOARDS[e]->power_on(state_of(apu, e));
        apu->levels[e] = BOARDS[e]->level(state_of(apu, e));
    }
    for (int b = 0; b < BUSES; b++) {
        Bus *bus = &apu->buses[b];
        double weighted[HALVES] = {0.0, 0.0};
        for (int c = 0; c < CHANNELS; c++) {
            bus->levels[c] = heard(apu, b, c) ? chip_level(&apu->chip, c) : 0;
            weighted[c >= TR] += (double)bus->levels[c] * WEIGHTS[c];
        }
        const double steady = mixed(0, weighted[0], 1.0) + mixed(1, weighted[1], settings->gain);
        for (int i = 0; i < FILTER; i++)
            bus->filter[i] = settings->steady ? steady : 0.0;
    }
}

/* Puts data where the DMC can read it; it must end within the address space. */
EXPORT void apu_load(Apu *apu, int64_t address, int64_t size, const uint8_t *data)
{
    memcpy(apu->chip.memory + address, data, (size_t)size);
}

EXPORT int64_t apu_status(const Apu *apu) { return chip_status(&apu->chip); }

/* What a chip of expansion.h puts out, in its own steps. */
EXPORT double apu_chip_level(const Apu *apu, int32_t chip) { return apu->levels[chip]; }

/* The Disk System's low pass of one pole at 2 kHz. */
static void smoothen(Apu *apu, double *x, int64_t n)
{
    const double share = 1.0 - exp(-2.0 * 3.14159265358979323846 * 2000.0 / (double)apu->settings.sample_rate);
    for (int64_t i = 0; i < n; i++) {
        apu->smooth += share * (x[i] - apu->smooth);
        apu->smooth = fabs(apu->smooth) < 1e-18 ? 0.0 : apu->smooth;
        x[i] = apu->smooth;
    }
}

/* Adds the sound of the chips that a bus has to the second half of the mixer; returns how many steps they took.
 *
 * row: [frames + TAPS] to work in. */
static int64_t add_chips(Apu *apu, int bus, int64_t from, int64_t until, const ChipWrites *writes, int64_t frame,
                         int64_t frames, double *row, double *sum)
{
    int64_t n_steps = 0;
    for (int e = 0; e < EXPANSIONS; e++) {
        if (!heard(apu, bus, CHANNELS + e))
            continue;
        double *tail = apu->buses[bus].tail[HALVES + e];
        memcpy(row, tail, TAPS * sizeof *row);
        memset(row + TAPS, 0, (size_t)frames * sizeof *row);
        n_steps += add_chip_steps(apu, e, from, until, writes, frame, row);
        memcpy(tail, row + frames, TAPS * sizeof *row);
        if (e == FDS)
            smoothen(apu, row, frames);
        for (int64_t i = 0; i < frames; i++)
            sum[i] += row[i];
    }
    return n_steps;
}

/* Renders the block of sound that follows, from a CPU clock to another one.
 *
 * frame: samples before the block. clocks, registers, values: [n_writes], what is written. chip_writes: what is written
 * to chips of expansion.h. out: a row [frames] for each bus that is used, full of zeros. Returns 0, or -1 where there is
 * no memory left; then nothing has happened. */
EXPORT int32_t apu_render(Apu *apu, int64_t from, int64_t until, int64_t n_writes, const int64_t *clocks,
                          const uint8_t *registers, const uint8_t *values, const ChipWrites *chip_writes, int64_t frame,
                          int64_t frames, float *out)
{
    const size_t most = (size_t)chip_most_trains(&apu->chip, until - from, n_writes);
    Train *trains = malloc(CHANNELS * most * sizeof *trains);
    const int64_t size = frames + TAPS;
    double *buffer = malloc((HALVES + 1) * (size_t)size * sizeof *buffer);
    if (trains == NULL || buffer == NULL) {
        free(trains);
        free(buffer);
        return -1;
    }
    for (int c = 0; c < CHANNELS; c++)
        apu->chip.trains[c] = trains + (size_t)c * most;
    chip_advance(&apu->chip, from, until, n_writes, clocks, registers, values);
    for (int b = 0; b < BUSES; b++) {
        if (!sounds_at_all(apu, b))
            continue;
        Bus *bus = &apu->buses[b];
        int sounds[CHANNELS];
        for (int c = 0; c < CHANNELS; c++)
            sounds[c] = heard(apu, b, c);
        for (int half = 0; half < HALVES; half++) {
            memcpy(buffer + half * size, bus->tail[half], sizeof bus->tail[half]);
            memset(buffer + half * size + TAPS, 0, (size_t)frames * sizeof *buffer);
        }
        int64_t n_steps = add_steps(apu, bus, sounds, frame, buffer, size);
        for (int half = 0; half < HALVES; half++)
            memcpy(bus->tail[half], buffer + half * size + frames, sizeof bus->tail[half]);
        n_steps += add_chips(apu, b, from, until, chip_writes, frame, frames, buffer + HALVES * size, buffer + size);
        if (n_steps || !all_zero(buffer, frames) || !all_zero(buffer + size, frames) || !all_zero(bus->filter, FILTER))
            apu_finish(buffer, buffer + size, apu->settings.coefficients, bus->filter, frame, frames, out);
        out += frames;
    }
    free(trains);
    free(buffer);
    return 0;
}
