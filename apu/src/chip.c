#include "chip.h"

#include <string.h>

enum { ULTRASONIC = 2 }; /* a triangle with a timer below this sounds at 28 kHz or above; games silence it so */

static const int64_t NEVER = INT64_C(1) << 62;

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

/* The level that an open train has at its sequencer's place. */
static int64_t level_of(const Chip *chip, const Channel *s)
{
    return s->volume * chip->tables->patterns[s->base + s->index];
}

/* Writes what channel c did up to a clock as a train, and moves its sequencer there. */
static void close_train(Chip *chip, int c, int64_t clock)
{
    Channel *s = &chip->channels[c];
    int64_t steps = s->next < clock ? (clock - s->next + s->period - 1) / s->period : 0;
    Train *train = &chip->trains[c][chip->counts[c]++];
    train->begin = s->begin;
    train->entry = s->entry;
    train->first = s->next;
    train->period = s->period;
    train->count = s->running && s->volume && s->size > 1 ? steps : 0;
    train->base = s->base;
    train->index = s->index + 1;
    train->size = s->size;
    train->volume = s->volume;
    s->next += steps * s->period;
    if (s->running)
        s->index = (s->index + steps) % s->size;
    s->begin = clock;
}

/* Lets channel c go on with this period, volume and motion, if any of them is new. */
static void open_train(Chip *chip, int c, int64_t clock, int64_t period, int64_t volume, int64_t running)
{
    Channel *s = &chip->channels[c];
    if (period == s->period && volume == s->volume && running == s->running)
        return;
    close_train(chip, c, clock);
    s->period = period;
    s->volume = volume;
    s->running = running;
    s->entry = level_of(chip, s);
}

/* Puts a channel, whose train was just closed, at a place in a pattern. */
static void set_pattern(Chip *chip, Channel *s, int64_t base, int64_t index, int64_t size)
{
    s->base = base;
    s->index = index;
    s->size = size;
    s->entry = level_of(chip, s);
}

/* The timer that the sweep unit of pulse c aims at. */
static int64_t sweep_target(const Chip *chip, int c)
{
    const Channel *s = &chip->channels[c];
    int64_t change = s->timer >> (s->sweep & 7);
    return s->sweep & 8 ? s->timer - change - (c == P1) : s->timer + change;
}

/* Lets the triangle give its mean where it steps too fast to be heard, and its steps elsewhere. */
static void blur(Chip *chip, int64_t clock, int ultrasonic)
{
    const Tables *t = chip->tables;
    Channel *s = &chip->channels[TR];
    if (ultrasonic == (s->base == t->triangle_mean))
        return;
    close_train(chip, TR, clock);
    if (ultrasonic) {
        s->step_before = s->index;
        set_pattern(chip, s, t->triangle_mean, 0, 1);
    } else {
        set_pattern(chip, s, t->triangle_first, s->step_before, 32);
    }
}

/* Brings the train of channel c in line with its registers and counters. */
static void refresh(Chip *chip, int c, int64_t clock)
{
    Channel *s = &chip->channels[c];
    int64_t loudness = s->constant ? s->envelope : s->decay;
    int sounds = s->length > 0;
    if (c == P1 || c == P2) {
        sounds = sounds && s->timer >= 8 && sweep_target(chip, c) <= 0x7FF;
        open_train(chip, c, clock, 2 * (s->timer + 1), sounds ? loudness : 0, 1);
    } else if (c == TR) {
        int running = sounds && s->linear > 0;
        blur(chip, clock, running && s->timer < ULTRASONIC);
        open_train(chip, c, clock, s->timer + 1, 1, running);
    } else {
        open_train(chip, c, clock, chip->tables->noise_periods[s->timer], sounds ? loudness : 0, 1);
    }
}

static void refresh_all(Chip *chip, int64_t clock)
{
    for (int c = P1; c <= NO; c++)
        refresh(chip, c, clock);
}

/* A pulse's duty, and its sequencer's start anew. */
static void set_duty(Chip *chip, int c, int64_t clock, int64_t duty, int restart)
{
    Channel *s = &chip->channels[c];
    if (!restart && duty == s->duty)
        return;
    close_train(chip, c, clock);
    s->duty = duty;
    set_pattern(chip, s, 8 * duty, restart ? 0 : s->index, 8);
}

/* The noise's mode; its shift register stays as it is. */
static void set_mode(Chip *chip, int64_t clock, int64_t mode)
{
    const Tables *t = chip->tables;
    Channel *s = &chip->channels[NO];
    if (mode == s->duty)
        return;
    close_train(chip, NO, clock);
    int64_t place = 32768 * mode + t->noise_state[s->base - t->noise_first + s->index];
    s->duty = mode;
    set_pattern(chip, s, t->noise_first + t->noise_base[place], t->noise_place[place], t->noise_size[place]);
}

static void step_envelope(Channel *s)
{
    if (s->start) {
        s->start = 0;
        s->decay = 15;
        s->divider = s->envelope;
    } else if (s->divider > 0) {
        s->divider--;
    } else {
        s->divider = s->envelope;
        if (s->decay > 0)
            s->decay--;
        else if (s->halt)
            s->decay = 15;
    }
}

/* Envelopes and the triangle's linear counter. */
static void quarter_frame(Chip *chip)
{
    Channel *s = &chip->channels[TR];
    step_envelope(&chip->channels[P1]);
    step_envelope(&chip->channels[P2]);
    step_envelope(&chip->channels[NO]);
    if (s->linear_reload)
        s->linear = s->linear_load;
    else if (s->linear > 0)
        s->linear--;
    if (!s->halt)
        s->linear_reload = 0;
}

/* Length counters and sweeps. */
static void half_frame(Chip *chip)
{
    for (int c = P1; c <= NO; c++) {
        Channel *s = &chip->channels[c];
        if (s->length > 0 && !s->halt)
            s->length--;
    }
    for (int c = P1; c <= P2; c++) {
        Channel *s = &chip->channels[c];
        int64_t target = sweep_target(chip, c);
        int shifts = s->sweep & 0x80 && s->sweep & 7;
        if (s->sweep_divider == 0 && shifts && s->timer >= 8 && target <= 0x7FF)
            s->timer = greater(target, 0);
        if (s->sweep_divider == 0 || s->sweep_reload) {
            s->sweep_divider = s->sweep >> 4 & 7;
            s->sweep_reload = 0;
        } else {
            s->sweep_divider--;
        }
    }
}

/* A write to one of the four registers of a pulse, the triangle or the noise. */
static void write_channel(Chip *chip, int c, int number, int64_t value, int64_t clock)
{
    Channel *s = &chip->channels[c];
    switch (number) {
    case 0:
        if (c == TR) {
            s->halt = value >> 7;
            s->linear_load = value & 0x7F;
        } else {
            s->halt = value >> 5 & 1;
            s->constant = value >> 4 & 1;
            s->envelope = value & 15;
            if (c != NO)
                set_duty(chip, c, clock, value >> 6, 0);
        }
        break;
    case 1:
        if (c == P1 || c == P2) {
            s->sweep = value;
            s->sweep_reload = 1;
        }
        break;
    case 2:
        if (c == NO) {
            s->timer = value & 15;
            set_mode(chip, clock, value >> 7);
        } else {
            s->timer = (s->timer & 0x700) | value;
        }
        break;
    default:
        if (s->enabled)
            s->length = chip->tables->lengths[value >> 3];
        s->start = 1;
        if (c != NO)
            s->timer = (s->timer & 0xFF) | (value & 7) << 8;
        if (c == TR)
            s->linear_reload = 1;
        else if (c != NO)
            set_duty(chip, c, clock, s->duty, 1);
    }
    refresh(chip, c, clock);
}

/* A new level of the DMC. */
static void set_dac(Chip *chip, int64_t level, int64_t clock)
{
    if (level == chip->dmc.level)
        return;
    Train *train = &chip->trains[DM][chip->counts[DM]++];
    memset(train, 0, sizeof *train);
    train->begin = clock;
    train->entry = level;
    train->period = train->size = 1;
    chip->dmc.level = level;
}

static void write_dmc(Chip *chip, int number, int64_t value, int64_t clock)
{
    Dmc *s = &chip->dmc;
    if (number == 0) {
        s->loop = value >> 6 & 1;
        s->timer = chip->tables->dmc_periods[value & 15];
    } else if (number == 1) {
        set_dac(chip, value & 0x7F, clock);
    } else if (number == 2) {
        s->sample_start = 0xC000 + 64 * value;
    } else {
        s->sample_size = 16 * value + 1;
    }
}

static void begin_sample(Dmc *s)
{
    s->address = s->sample_start;
    s->left = s->sample_size;
}

/* Fills the DMC's empty buffer with the next byte of its sample, if one is left. */
static void fetch(Chip *chip)
{
    Dmc *s = &chip->dmc;
    if (s->buffer >= 0 || s->left == 0)
        return;
    s->buffer = chip->memory[s->address];
    s->address = s->address < 0xFFFF ? s->address + 1 : 0x8000;
    if (--s->left == 0 && s->loop)
        begin_sample(s);
}

/* Plays the DMC's sample up to a clock. */
static void run_dmc(Chip *chip, int64_t until)
{
    Dmc *s = &chip->dmc;
    while (s->next < until) {
        if (s->silent && s->buffer < 0) { /* nothing to play: the timer just goes on */
            int64_t steps = (until - s->next + s->timer - 1) / s->timer;
            s->next += steps * s->timer;
            s->bits = 8 - (8 - s->bits + steps) % 8;
            return;
        }
        if (!s->silent) {
            int64_t level = s->level + (s->shift & 1 ? 2 : -2);
            if (0 <= level && level <= 127)
                set_dac(chip, level, s->next);
            s->shift >>= 1;
        }
        if (--s->bits == 0) {
            s->bits = 8;
            s->silent = s->buffer < 0;
            s->shift = s->buffer;
            s->buffer = -1;
            fetch(chip);
        }
        s->next += s->timer;
    }
}

/* $4015: which channels are on. */
static void write_status(Chip *chip, int64_t value, int64_t clock)
{
    for (int c = P1; c <= NO; c++) {
        Channel *s = &chip->channels[c];
        s->enabled = value >> c & 1;
        if (!s->enabled)
            s->length = 0;
    }
    if (!(value & 0x10)) {
        chip->dmc.left = 0;
    } else if (chip->dmc.left == 0) {
        begin_sample(&chip->dmc);
        fetch(chip);
    }
    refresh_all(chip, clock);
}

/* $4017: the frame counter's mode; it starts anew. */
static void write_frame_counter(Chip *chip, int64_t value, int64_t clock)
{
    chip->mode = value >> 7;
    chip->step = 0;
    chip->origin = clock;
    if (value & 0x80) {
        quarter_frame(chip);
        half_frame(chip);
        refresh_all(chip, clock);
    }
}

static void write_register(Chip *chip, int number, int64_t value, int64_t clock)
{
    if (number < 0x10)
        write_channel(chip, number >> 2, number & 3, value, clock);
    else if (number < 0x14)
        write_dmc(chip, number & 3, value, clock);
    else if (number == 0x15)
        write_status(chip, value, clock);
    else if (number == 0x17)
        write_frame_counter(chip, value, clock);
}

/* A step of the frame counter. */
static void step_frame(Chip *chip, int64_t clock)
{
    int sounds = 0;
    for (int c = P1; c <= NO; c++)
        sounds |= chip->channels[c].length > 0;
    quarter_frame(chip);
    if (chip->step & 1)
        half_frame(chip);
    if (sounds)
        refresh_all(chip, clock);
    if (++chip->step == 4) {
        chip->step = 0;
        chip->origin += chip->tables->frame_steps[5 * chip->mode + 4];
    }
}

void chip_power_on(Chip *chip, const Tables *t)
{
    memset(chip, 0, sizeof *chip);
    chip->tables = t;
    for (int c = P1; c <= P2; c++) {
        chip->channels[c].period = 2;
        chip->channels[c].size = 8;
    }
    Channel *triangle = &chip->channels[TR];
    triangle->period = triangle->volume = 1;
    set_pattern(chip, triangle, t->triangle_first, 0, 32);
    Channel *noise = &chip->channels[NO];
    noise->period = t->noise_periods[0];
    set_pattern(chip, noise, t->noise_first, t->noise_place[1], t->noise_states); /* the register is 1 */
    chip->dmc = (Dmc){.timer = t->dmc_periods[0], .bits = 8, .buffer = -1, .silent = 1};
    chip->dmc.sample_start = 0xC000;
    chip->dmc.sample_size = 1;
}

int64_t chip_most_trains(const Chip *chip, int64_t clocks, int64_t writes)
{
    const Tables *t = chip->tables;
    return 3 * (clocks / t->frame_steps[0] + 2) + 2 * writes + clocks / t->dmc_periods[15] + 8;
}

void chip_advance(Chip *chip, int64_t from, int64_t until, int64_t n_writes, const int64_t *clocks,
                  const uint8_t *registers, const uint8_t *values)
{
    memset(chip->counts, 0, sizeof chip->counts);
    for (int64_t i = 0;;) {
        int64_t step = chip->origin + chip->tables->frame_steps[5 * chip->mode + chip->step];
        int64_t write = i < n_writes ? greater(from, lesser(clocks[i], until - 1)) : NEVER;
        int64_t now = lesser(step, write);
        if (now >= until)
            break;
        run_dmc(chip, now);
        if (write <= step) {
            write_register(chip, registers[i], values[i], now);
            i++;
        } else {
            step_frame(chip, now);
        }
    }
    run_dmc(chip, until);
    for (int c = P1; c <= NO; c++) {
        close_train(chip, c, until);
        chip->channels[c].entry = level_of(chip, &chip->channels[c]);
    }
}

int64_t chip_level(const Chip *chip, int channel)
{
    return channel == DM ? chip->dmc.level : chip->channels[channel].entry;
}

int64_t chip_status(const Chip *chip)
{
    int64_t on = (int64_t)(chip->dmc.left > 0) << DM;
    for (int c = P1; c <= NO; c++)
        on |= (int64_t)(chip->channels[c].length > 0) << c;
    return on;
}
