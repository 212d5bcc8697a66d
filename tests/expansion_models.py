"""The sound chips of cartridges, clock by clock, for comparison with the compiled ones.

Each model follows the chip's description on the NESdev wiki, a clock at a time, in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator


class Vrc6Model:
    """Two pulses and a saw."""

    def __init__(self) -> None:
        self.registers = {0x9000 + 0x1000 * voice + part: 0 for voice in range(3) for part in range(3)}
        self.counters = [-1, -1, -1]  # clocks until the next step; -1 while a voice stands
        self.steps = [15, 15, 0]
        self.accumulator = 0
        self.control = 0

    def period(self, voice: int) -> int:
        base = 0x9000 + 0x1000 * voice
        timer = self.registers[base + 1] | (self.registers[base + 2] & 15) << 8
        return (timer >> (8 if self.control & 4 else 4 if self.control & 2 else 0)) + 1

    def write(self, address: int, value: int) -> None:
        if address == 0x9003:
            self.control = value
        else:
            self.registers[address] = value
        for voice in range(3):
            enabled = self.registers[0x9002 + 0x1000 * voice] & 0x80
            if not enabled:
                self.steps[voice] = 15 if voice < 2 else 0
                self.accumulator = self.accumulator if voice < 2 else 0
            if not enabled or self.control & 1:
                self.counters[voice] = -1
            elif self.counters[voice] < 0:
                self.counters[voice] = self.period(voice)

    def clock(self) -> None:
        for voice in range(3):
            if self.counters[voice] > 0:
                self.counters[voice] -= 1
            if self.counters[voice] == 0:
                self.counters[voice] = self.period(voice)
                if voice < 2:
                    self.steps[voice] = (self.steps[voice] - 1) % 16
                else:
                    self.steps[2] = (self.steps[2] + 1) % 14
                    if self.steps[2] == 0:
                        self.accumulator = 0
                    elif self.steps[2] % 2 == 0:
                        self.accumulator = (self.accumulator + (self.registers[0xB000] & 63)) % 256

    def level(self) -> float:
        total = self.accumulator // 8
        for voice in range(2):
            control = self.registers[0x9000 + 0x1000 * voice]
            duty, enabled = control >> 4 & 7, self.registers[0x9002 + 0x1000 * voice] & 0x80
            if enabled and (control & 0x80 or self.steps[voice] <= duty):
                total += control & 15
        return total


class N163Model:
    """Waves in memory, one channel every 15 clocks."""

    def __init__(self) -> None:
        self.memory, self.address, self.rises = [0] * 128, 0, False
        self.outputs, self.channel, self.left = [0] * 8, 7, 15

    def write(self, address: int, value: int) -> None:
        if address == 0xF800:
            self.address, self.rises = value % 128, value >= 128
            return
        self.memory[self.address] = value
        self.address = (self.address + self.rises) % 128

    def clock(self) -> None:
        self.left -= 1
        if self.left:
            return
        self.left = 15
        b = 0x40 + 8 * self.channel
        m = self.memory
        frequency = m[b] + 256 * m[b + 2] + 65536 * (m[b + 4] % 4)
        phase = m[b + 1] + 256 * m[b + 3] + 65536 * m[b + 5]
        phase = (phase + frequency) % ((256 - m[b + 4] // 4 * 4) * 65536)
        m[b + 1], m[b + 3], m[b + 5] = phase % 256, phase // 256 % 256, phase // 65536
        place = (phase // 65536 + m[b + 6]) % 256
        sample = m[place // 2] // (16 if place % 2 else 1) % 16
        self.outputs[self.channel] = (sample - 8) * (m[b + 7] % 16)
        lowest = 7 - m[127] // 16 % 8
        self.channel = self.channel - 1 if self.channel > lowest else 7

    def level(self) -> float:
        count = self.memory[127] // 16 % 8 + 1
        return sum(self.outputs[8 - count :]) / count


class S5bModel:
    """Three squares, noise and an envelope; a unit is 16 clocks."""

    def __init__(self) -> None:
        self.chosen, self.r = 0, [0] * 16
        self.r[7] = 0x3F
        self.tones, self.high = [16] * 3, [0] * 3
        self.noise_left, self.lfsr = 32, 1
        self.envelope_left, self.ramp = 16, self.shape(0)
        self.now = next(self.ramp)

    @staticmethod
    def shape(bits: int) -> Iterator[int]:
        up, down = range(32), range(31, -1, -1)
        rises = bool(bits & 4)
        yield from up if rises else down
        if not bits & 8:
            end = [0]
        elif bits & 1:
            end = [31 if rises ^ bool(bits & 2) else 0]
        elif bits & 2:
            end = [*(down if rises else up), *(up if rises else down)]
        else:
            end = [*(up if rises else down)]
        while True:
            yield from end

    def write(self, address: int, value: int) -> None:
        if address == 0xC000:
            self.chosen = value
        elif self.chosen < 16:
            self.r[self.chosen] = value
            if self.chosen == 13:
                self.ramp = self.shape(value)
                self.now = next(self.ramp)
                self.envelope_left = 16 * max(1, self.r[11] + 256 * self.r[12])

    def clock(self) -> None:
        for i in range(3):
            self.tones[i] -= 1
            if not self.tones[i]:
                self.high[i] ^= 1
                self.tones[i] = 16 * max(1, self.r[2 * i] + 256 * (self.r[2 * i + 1] % 16))
        self.noise_left -= 1
        if not self.noise_left:
            self.lfsr = (self.lfsr >> 1) + (((self.lfsr ^ (self.lfsr >> 3)) & 1) << 16)
            self.noise_left = 32 * max(1, self.r[6] % 32)
        self.envelope_left -= 1
        if not self.envelope_left:
            self.now = next(self.ramp)
            self.envelope_left = 16 * max(1, self.r[11] + 256 * self.r[12])

    def level(self) -> float:
        total = 0.0
        for i in range(3):
            tone = self.high[i] | self.r[7] >> i & 1
            noise = self.lfsr & 1 | self.r[7] >> (3 + i) & 1
            step = self.now if self.r[8 + i] & 16 else 2 * (self.r[8 + i] % 16) + 1
            total += tone * noise * (10 ** (-1.5 * 1.003433 * (31 - step) / 20) if step > 1 else 0)
        return total


class Mmc5Model:
    """Two pulses whose envelopes and lengths step every 7457 clocks, and a DAC."""

    LENGTHS = (
        *(10, 254, 20, 2, 40, 4, 80, 6, 160, 8, 60, 10, 14, 12, 26, 14),
        *(12, 16, 24, 18, 48, 20, 96, 22, 192, 24, 72, 26, 16, 28, 32, 30),
    )
    DUTIES = ("01000000", "01100000", "01111000", "10011111")

    def __init__(self) -> None:
        self.r = [[0, 0, 0, 0], [0, 0, 0, 0]]
        self.left, self.steps, self.length, self.on = [2, 2], [0, 0], [0, 0], [0, 0]
        self.start, self.divider, self.decay = [0, 0], [0, 0], [0, 0]
        self.frame_left, self.dac, self.reads = 7457, 0, 0

    def write(self, address: int, value: int) -> None:
        if address == 0x5010:
            self.reads = value & 1
        elif address == 0x5011:
            self.dac = value if value and not self.reads else self.dac
        elif address == 0x5015:
            self.on = [value & 1, value >> 1 & 1]
            self.length = [length * on for length, on in zip(self.length, self.on, strict=True)]
        elif address < 0x5008:
            voice, part = divmod(address - 0x5000, 4)
            self.r[voice][part] = value
            if part == 3:
                self.steps[voice], self.start[voice] = 0, 1
                if self.on[voice]:
                    self.length[voice] = self.LENGTHS[value >> 3]

    def clock(self) -> None:
        self.frame_left -= 1
        for v in range(2):
            control = self.r[v][0]
            if not self.frame_left:
                if self.start[v]:
                    self.start[v], self.decay[v], self.divider[v] = 0, 15, control & 15
                elif self.divider[v]:
                    self.divider[v] -= 1
                else:
                    self.divider[v] = control & 15
                    self.decay[v] = self.decay[v] - 1 if self.decay[v] else 15 if control & 32 else 0
                if self.length[v] and not control & 32:
                    self.length[v] -= 1
            self.left[v] -= 1
            if not self.left[v]:
                self.left[v] = 2 * (self.r[v][2] + 256 * (self.r[v][3] & 7) + 1)
                self.steps[v] = (self.steps[v] + 1) % 8
        if not self.frame_left:
            self.frame_left = 7457

    def level(self) -> float:
        total = self.dac * 30 / 255
        for v in range(2):
            control = self.r[v][0]
            if self.length[v] and self.DUTIES[control >> 6][self.steps[v]] == "1":
                total += control & 15 if control & 16 else self.decay[v]
        return total


class FdsModel:
    """A wave of 64 steps, two envelopes and a modulator; wave and modulator move every 16 clocks."""

    def __init__(self) -> None:
        self.r = dict.fromkeys(range(0x4080, 0x408B), 0) | {0x4083: 0x80, 0x4087: 0x80, 0x408A: 0xE8}
        self.r |= {0x4080: 0x80, 0x4084: 0x80}
        self.wave, self.table = [0] * 64, [0] * 64
        self.gains, self.lefts = [0, 0], [0, 0]
        self.phase = self.table_phase = 0.0  # in steps
        self.counter, self.left, self.held = 0, 16, 0

    def runs(self, which: int) -> bool:
        fixed = self.r[0x4080 + 4 * which] & 0x80
        return not (fixed or self.r[0x4083] & 0xC0 or not self.r[0x408A])

    def period(self, which: int) -> int:
        return 8 * ((self.r[0x4080 + 4 * which] & 63) + 1) * (self.r[0x408A] + 1)

    def write(self, address: int, value: int) -> None:
        if 0x4040 <= address < 0x4080:
            if self.r[0x4089] & 0x80:
                self.wave[address - 0x4040] = value & 63
            return
        ran = [self.runs(0), self.runs(1)]
        if address == 0x4089 and value & 0x80 and not self.r[0x4089] & 0x80:
            self.held = self.wave[int(self.phase)]
        if address == 0x4088:
            if self.r[0x4087] & 0x80:
                for _ in range(2):
                    self.table[int(self.table_phase)] = value & 7
                    self.table_phase = (self.table_phase + 1) % 64
            return
        self.r[address] = value
        for which in range(2):
            if address == 0x4080 + 4 * which:
                self.gains[which] = value & 63 if value & 0x80 else self.gains[which]
                self.lefts[which] = self.period(which)
            elif address == 0x408A or (address == 0x4083 and not ran[which]):
                self.lefts[which] = self.period(which)
        if address == 0x4083 and value & 0x80:
            self.phase = 0.0
        if address == 0x4085:
            self.counter = value % 128 - 128 * (value % 128 > 63)
        if address == 0x4087 and value & 0x80:
            self.table_phase = float(int(self.table_phase))

    def bent(self) -> int:
        pitch = self.r[0x4082] + 256 * (self.r[0x4083] & 15)
        product = self.counter * self.gains[1]
        bend, rest = divmod(product, 16)
        if rest and not bend & 0x80:
            bend += -1 if self.counter < 0 else 2
        bend = (bend + 64) % 256 - 64
        whole, part = divmod(bend * pitch, 64)
        return pitch + whole + (part >= 32)

    def clock(self) -> None:
        for which in range(2):
            if self.runs(which):
                self.lefts[which] -= 1
                if not self.lefts[which]:
                    self.lefts[which] = self.period(which)
                    if self.r[0x4080 + 4 * which] & 0x40:
                        self.gains[which] += self.gains[which] < 32
                    else:
                        self.gains[which] -= self.gains[which] > 0
        self.left -= 1
        if self.left:
            return
        self.left = 16
        if not self.r[0x4087] & 0x80:
            before = int(self.table_phase)
            self.table_phase += (self.r[0x4086] + 256 * (self.r[0x4087] & 15)) / 4096
            if int(self.table_phase) != before:
                move = (0, 1, 2, 4, None, -4, -2, -1)[self.table[before]]
                self.counter = 0 if move is None else (self.counter + move + 64) % 128 - 64
            self.table_phase %= 64
        if not self.r[0x4083] & 0x80:
            self.phase = (self.phase + self.bent() / 4096) % 64

    def level(self) -> float:
        wave = self.held if self.r[0x4089] & 0x80 else self.wave[int(self.phase)]
        return wave * min(32, self.gains[0]) * 2 / (2 + (self.r[0x4089] & 3))
