#include "cpu.h"
#include "expansion.h"

#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum { CARRY = 1, ZERO = 2, NO_INTERRUPT = 4, BREAK = 16, ALWAYS = 32, OVERFLOW_ = 64, NEGATIVE = 128 };

enum { RETURN = 0x5F00 }; /* where no program lies: a subroutine that comes back here has ended */

/* How an instruction finds its operand. */
enum { IMP, ACC, IMM, ZPG, ZPX, ZPY, ABS, ABX, ABY, IND, IZX, IZY, REL };

/* What it does; the last row are instructions that no manual has and that some programs use. */
enum {
    ADC, AND, ASL, BCC, BCS, BEQ, BIT, BMI, BNE, BPL, BRK, BVC, BVS, CLC, CLD, CLI, CLV, CMP, CPX, CPY, DEC, DEX, DEY, EOR,
    INC, INX, INY, JMP, JSR, LDA, LDX, LDY, LSR, NOP, ORA, PHA, PHP, PLA, PLP, ROL, ROR, RTI, RTS, SBC, SEC, SED, SEI, STA,
    STX, STY, TAX, TAY, TSX, TXA, TXS, TYA,
    LAX, SAX, DCP, ISC, SLO, RLA, SRE, RRA, HLT,
};

typedef struct {
    uint8_t action, mode, cycles, crossing; /* crossing: one more cycle where an index leaves the page */
} Instruction;

#define O(action, mode, cycles) {action, mode, cycles, 0}
#define X(action, mode, cycles) {action, mode, cycles, 1}

static const Instruction INSTRUCTIONS[256] = {
    O(BRK, IMP, 7), O(ORA, IZX, 6), O(HLT, IMP, 2), O(SLO, IZX, 8), O(NOP, ZPG, 3), O(ORA, ZPG, 3), O(ASL, ZPG, 5), O(SLO, ZPG, 5),
    O(PHP, IMP, 3), O(ORA, IMM, 2), O(ASL, ACC, 2), O(NOP, IMM, 2), O(NOP, ABS, 4), O(ORA, ABS, 4), O(ASL, ABS, 6), O(SLO, ABS, 6),
    O(BPL, REL, 2), X(ORA, IZY, 5), O(HLT, IMP, 2), O(SLO, IZY, 8), O(NOP, ZPX, 4), O(ORA, ZPX, 4), O(ASL, ZPX, 6), O(SLO, ZPX, 6),
    O(CLC, IMP, 2), X(ORA, ABY, 4), O(NOP, IMP, 2), O(SLO, ABY, 7), X(NOP, ABX, 4), X(ORA, ABX, 4), O(ASL, ABX, 7), O(SLO, ABX, 7),
    O(JSR, ABS, 6), O(AND, IZX, 6), O(HLT, IMP, 2), O(RLA, IZX, 8), O(BIT, ZPG, 3), O(AND, ZPG, 3), O(ROL, ZPG, 5), O(RLA, ZPG, 5),
    O(PLP, IMP, 4), O(AND, IMM, 2), O(ROL, ACC, 2), O(NOP, IMM, 2), O(BIT, ABS, 4), O(AND, ABS, 4), O(ROL, ABS, 6), O(RLA, ABS, 6),
    O(BMI, REL, 2), X(AND, IZY, 5), O(HLT, IMP, 2), O(RLA, IZY, 8), O(NOP, ZPX, 4), O(AND, ZPX, 4), O(ROL, ZPX, 6), O(RLA, ZPX, 6),
    O(SEC, IMP, 2), X(AND, ABY, 4), O(NOP, IMP, 2), O(RLA, ABY, 7), X(NOP, ABX, 4), X(AND, ABX, 4), O(ROL, ABX, 7), O(RLA, ABX, 7),
    O(RTI, IMP, 6), O(EOR, IZX, 6), O(HLT, IMP, 2), O(SRE, IZX, 8), O(NOP, ZPG, 3), O(EOR, ZPG, 3), O(LSR, ZPG, 5), O(SRE, ZPG, 5),
    O(PHA, IMP, 3), O(EOR, IMM, 2), O(LSR, ACC, 2), O(NOP, IMM, 2), O(JMP, ABS, 3), O(EOR, ABS, 4), O(LSR, ABS, 6), O(SRE, ABS, 6),
    O(BVC, REL, 2), X(EOR, IZY, 5), O(HLT, IMP, 2), O(SRE, IZY, 8), O(NOP, ZPX, 4), O(EOR, ZPX, 4), O(LSR, ZPX, 6), O(SRE, ZPX, 6),
    O(CLI, IMP, 2), X(EOR, ABY, 4), O(NOP, IMP, 2), O(SRE, ABY, 7), X(NOP, ABX, 4), X(EOR, ABX, 4), O(LSR, ABX, 7), O(SRE, ABX, 7),
    O(RTS, IMP, 6), O(ADC, IZX, 6), O(HLT, IMP, 2), O(RRA, IZX, 8), O(NOP, ZPG, 3), O(ADC, ZPG, 3), O(ROR, ZPG, 5), O(RRA, ZPG, 5),
    O(PLA, IMP, 4), O(ADC, IMM, 2), O(ROR, ACC, 2), O(NOP, IMM, 2), O(JMP, IND, 5), O(ADC, ABS, 4), O(ROR, ABS, 6), O(RRA, ABS, 6),
    O(BVS, REL, 2), X(ADC, IZY, 5), O(HLT, IMP, 2), O(RRA, IZY, 8), O(NOP, ZPX, 4), O(ADC, ZPX, 4), O(ROR, ZPX, 6), O(RRA, ZPX, 6),
    O(SEI, IMP, 2), X(ADC, ABY, 4), O(NOP, IMP, 2), O(RRA, ABY, 7), X(NOP, ABX, 4), X(ADC, ABX, 4), O(ROR, ABX, 7), O(RRA, ABX, 7),
    O(NOP, IMM, 2), O(STA, IZX, 6), O(NOP, IMM, 2), O(SAX, IZX, 6), O(STY, ZPG, 3), O(STA, ZPG, 3), O(STX, ZPG, 3), O(SAX, ZPG, 3),
    O(DEY, IMP, 2), O(NOP, IMM, 2), O(TXA, IMP, 2), O(NOP, IMM, 2), O(STY, ABS, 4), O(STA, ABS, 4), O(STX, ABS, 4), O(SAX, ABS, 4),
    O(BCC, REL, 2), O(STA, IZY, 6), O(HLT, IMP, 2), O(NOP, IZY, 6), O(STY, ZPX, 4), O(STA, ZPX, 4), O(STX, ZPY, 4), O(SAX, ZPY, 4),
    O(TYA, IMP, 2), O(STA, ABY, 5), O(TXS, IMP, 2), O(NOP, ABY, 5), O(NOP, ABX, 5), O(STA, ABX, 5), O(NOP, ABY, 5), O(NOP, ABY, 5),
    O(LDY, IMM, 2), O(LDA, IZX, 6), O(LDX, IMM, 2), O(LAX, IZX, 6), O(LDY, ZPG, 3), O(LDA, ZPG, 3), O(LDX, ZPG, 3), O(LAX, ZPG, 3),
    O(TAY, IMP, 2), O(LDA, IMM, 2), O(TAX, IMP, 2), O(NOP, IMM, 2), O(LDY, ABS, 4), O(LDA, ABS, 4), O(LDX, ABS, 4), O(LAX, ABS, 4),
    O(BCS, REL, 2), X(LDA, IZY, 5), O(HLT, IMP, 2), X(LAX, IZY, 5), O(LDY, ZPX, 4), O(LDA, ZPX, 4), O(LDX, ZPY, 4), O(LAX, ZPY, 4),
    O(CLV, IMP, 2), X(LDA, ABY, 4), O(TSX, IMP, 2), X(NOP, ABY, 4), X(LDY, ABX, 4), X(LDA, ABX, 4), X(LDX, ABY, 4), X(LAX, ABY, 4),
    O(CPY, IMM, 2), O(CMP, IZX, 6), O(NOP, IMM, 2), O(DCP, IZX, 8), O(CPY, ZPG, 3), O(CMP, ZPG, 3), O(DEC, ZPG, 5), O(DCP, ZPG, 5),
    O(INY, IMP, 2), O(CMP, IMM, 2), O(DEX, IMP, 2), O(NOP, IMM, 2), O(CPY, ABS, 4), O(CMP, ABS, 4), O(DEC, ABS, 6), O(DCP, ABS, 6),
    O(BNE, REL, 2), X(CMP, IZY, 5), O(HLT, IMP, 2), O(DCP, IZY, 8), O(NOP, ZPX, 4), O(CMP, ZPX, 4), O(DEC, ZPX, 6), O(DCP, ZPX, 6),
    O(CLD, IMP, 2), X(CMP, ABY, 4), O(NOP, IMP, 2), O(DCP, ABY, 7), X(NOP, ABX, 4), X(CMP, ABX, 4), O(DEC, ABX, 7), O(DCP, ABX, 7),
    O(CPX, IMM, 2), O(SBC, IZX, 6), O(NOP, IMM, 2), O(ISC, IZX, 8), O(CPX, ZPG, 3), O(SBC, ZPG, 3), O(INC, ZPG, 5), O(ISC, ZPG, 5),
    O(INX, IMP, 2), O(SBC, IMM, 2), O(NOP, IMP, 2), O(SBC, IMM, 2), O(CPX, ABS, 4), O(SBC, ABS, 4), O(INC, ABS, 6), O(ISC, ABS, 6),
    O(BEQ, REL, 2), X(SBC, IZY, 5), O(HLT, IMP, 2), O(ISC, IZY, 8), O(NOP, ZPX, 4), O(SBC, ZPX, 4), O(INC, ZPX, 6), O(ISC, ZPX, 6),
    O(SED, IMP, 2), X(SBC, ABY, 4), O(NOP, IMP, 2), O(ISC, ABY, 7), X(NOP, ABX, 4), X(SBC, ABX, 4), O(INC, ABX, 7), O(ISC, ABX, 7),
};

static const int DMC_PERIODS[16] = {428, 380, 340, 320, 286, 254, 226, 214, 190, 160, 142, 128, 106, 84, 72, 54};

/* $4015: which channels are on. Their length counters count as full; the DMC's sample comes to its end. */
static uint8_t status(const Cpu *cpu)
{
    int plays = cpu->enabled & 0x10 && (cpu->dmc_loop || cpu->clock < cpu->dmc_end);
    return (uint8_t)((cpu->enabled & 0x0F) | (plays ? 0x10 : 0));
}

static int has(const Cpu *cpu, int chip) { return cpu->chips >> chip & 1; }

/* Where an address from $6000 on lies. */
static uint8_t *memory_at(Cpu *cpu, uint16_t address)
{
    const int64_t bank = address < 0x8000 ? cpu->low[(address - 0x6000) >> 12] : cpu->windows[(address - 0x8000) >> 12];
    return bank < 0 ? cpu->more + (address & 0x1FFF) : cpu->image + (bank << 12 | (address & 0xFFF));
}

/* Moves on in N163's memory after a reading or a writing. */
static uint8_t *sound_byte(Cpu *cpu)
{
    uint8_t *byte = cpu->sound_memory + cpu->sound_address;
    if (cpu->sound_rises)
        cpu->sound_address = (cpu->sound_address + 1) & 0x7F;
    return byte;
}

static uint8_t read(Cpu *cpu, uint16_t address)
{
    if (address < 0x2000)
        return cpu->ram[address & 0x7FF];
    if (address >= 0x6000)
        return *memory_at(cpu, address);
    if (has(cpu, MMC5) && 0x5C00 <= address && address < 0x5FF6)
        return cpu->mmc5_memory[address - 0x5C00];
    switch (address) {
    case 0x2002:
        return 0x80; /* the picture is never being drawn */
    case 0x4015:
        return status(cpu);
    case 0x4016:
        return cpu->pad_left < 8 ? cpu->pad >> (7 - cpu->pad_left++) & 1 : 1;
    case 0x4800:
        return has(cpu, N163) ? *sound_byte(cpu) : 0;
    case 0x5205:
        return has(cpu, MMC5) ? (uint8_t)(cpu->factors[0] * cpu->factors[1]) : 0;
    case 0x5206:
        return has(cpu, MMC5) ? (uint8_t)(cpu->factors[0] * cpu->factors[1] >> 8) : 0;
    default:
        return 0;
    }
}

static void note_down(Cpu *cpu, uint16_t address, uint8_t value)
{
    if (cpu->count < cpu->room) {
        cpu->clocks[cpu->count] = cpu->clock;
        cpu->addresses[cpu->count] = address;
        cpu->values[cpu->count] = value;
    }
    cpu->count++;
}

static void write(Cpu *cpu, uint16_t address, uint8_t value)
{
    if (address < 0x2000) {
        cpu->ram[address & 0x7FF] = value;
        return;
    }
    if (0x6000 <= address && address < (has(cpu, FDS) ? 0xE000 : 0x8000)) {
        *memory_at(cpu, address) = value;
        if (address < 0x8000)
            return;
    }
    if (0x5FF8 <= address && address < 0x6000)
        cpu->windows[address - 0x5FF8] = value % cpu->n_banks;
    if (has(cpu, FDS) && 0x5FF6 <= address && address < 0x5FF8)
        cpu->low[address - 0x5FF6] = value % cpu->n_banks;
    if (has(cpu, MMC5) && 0x5C00 <= address && address < 0x5FF6)
        cpu->mmc5_memory[address - 0x5C00] = value;
    if (has(cpu, MMC5) && (address == 0x5205 || address == 0x5206))
        cpu->factors[address - 0x5205] = value;
    if (has(cpu, N163) && address == 0x4800)
        *sound_byte(cpu) = value;
    if (has(cpu, N163) && address == 0xF800) {
        cpu->sound_address = value & 0x7F;
        cpu->sound_rises = value >> 7;
    }
    note_down(cpu, address, value);
    switch (address) {
    case 0x4010:
        cpu->dmc_rate = value & 15;
        cpu->dmc_loop = value & 0x40;
        break;
    case 0x4013:
        cpu->dmc_size = value;
        break;
    case 0x4015:
        if (value & 0x10 && !(status(cpu) & 0x10))
            cpu->dmc_end = cpu->clock + (INT64_C(16) * cpu->dmc_size + 1) * 8 * DMC_PERIODS[cpu->dmc_rate];
        cpu->enabled = value;
        break;
    case 0x4016:
        cpu->pad_left = 0;
        break;
    default:
        break;
    }
}

static uint16_t read_word(Cpu *cpu, uint16_t address)
{
    return (uint16_t)(read(cpu, address) | read(cpu, (uint16_t)(address + 1)) << 8);
}

/* A word of the zero page, which ends where it begins. */
static uint16_t zero_word(Cpu *cpu, uint8_t address)
{
    return (uint16_t)(read(cpu, address) | read(cpu, (uint8_t)(address + 1)) << 8);
}

static void push(Cpu *cpu, int value) { write(cpu, 0x100 | cpu->s--, (uint8_t)value); }

static uint8_t pull(Cpu *cpu) { return read(cpu, 0x100 | ++cpu->s); }

static void push_word(Cpu *cpu, int value)
{
    push(cpu, value >> 8);
    push(cpu, value);
}

static uint16_t pull_word(Cpu *cpu)
{
    int low = pull(cpu);
    return (uint16_t)(low | pull(cpu) << 8);
}

static void set_flag(Cpu *cpu, int flag, int on) { cpu->p = (uint8_t)(on ? cpu->p | flag : cpu->p & ~flag); }

/* Says of a result whether it is zero or negative. */
static uint8_t told(Cpu *cpu, int value)
{
    set_flag(cpu, ZERO, (value & 0xFF) == 0);
    set_flag(cpu, NEGATIVE, value & 0x80);
    return (uint8_t)value;
}

static void add(Cpu *cpu, uint8_t value)
{
    int sum = cpu->a + value + (cpu->p & CARRY);
    set_flag(cpu, OVERFLOW_, (cpu->a ^ sum) & (value ^ sum) & 0x80);
    set_flag(cpu, CARRY, sum > 0xFF);
    cpu->a = told(cpu, sum);
}

static void compare(Cpu *cpu, uint8_t with, uint8_t value)
{
    set_flag(cpu, CARRY, with >= value);
    told(cpu, with - value);
}

/* What a shift or a rotation makes of a value. */
static uint8_t shifted(Cpu *cpu, int action, int value)
{
    int carry = cpu->p & CARRY;
    int left = action == ASL || action == ROL;
    set_flag(cpu, CARRY, left ? value & 0x80 : value & 1);
    if (left)
        return told(cpu, value << 1 | (action == ROL ? carry : 0));
    return told(cpu, value >> 1 | (action == ROR ? carry << 7 : 0));
}

/* The address of the operand; it steps over the instruction, and counts the cycle of a page that is left. */
static uint16_t find(Cpu *cpu, const Instruction *in)
{
    uint16_t at = cpu->pc, base, address;
    switch (in->mode) {
    case IMP:
    case ACC:
        return 0;
    case IMM:
        cpu->pc++;
        return at;
    case ZPG:
        cpu->pc++;
        return read(cpu, at);
    case ZPX:
        cpu->pc++;
        return (uint8_t)(read(cpu, at) + cpu->x);
    case ZPY:
        cpu->pc++;
        return (uint8_t)(read(cpu, at) + cpu->y);
    case ABS:
        cpu->pc += 2;
        return read_word(cpu, at);
    case IND: /* its high byte comes from the same page */
        cpu->pc += 2;
        base = read_word(cpu, at);
        return (uint16_t)(read(cpu, base) | read(cpu, (uint16_t)((base & 0xFF00) | ((base + 1) & 0xFF))) << 8);
    case IZX:
        cpu->pc++;
        return zero_word(cpu, (uint8_t)(read(cpu, at) + cpu->x));
    case REL:
        cpu->pc++;
        return (uint16_t)(cpu->pc + (int8_t)read(cpu, at));
    case IZY:
        cpu->pc++;
        base = zero_word(cpu, read(cpu, at));
        address = (uint16_t)(base + cpu->y);
        break;
    default:
        cpu->pc += 2;
        base = read_word(cpu, at);
        address = (uint16_t)(base + (in->mode == ABX ? cpu->x : cpu->y));
    }
    if (in->crossing && (base ^ address) & 0xFF00)
        cpu->clock++;
    return address;
}

static void branch(Cpu *cpu, uint16_t target, int taken)
{
    if (!taken)
        return;
    cpu->clock += (target ^ cpu->pc) & 0xFF00 ? 2 : 1;
    cpu->pc = target;
}

/* Instructions that jump, and those on the stack and on flags. Returns whether it was one of them. */
static int control(Cpu *cpu, int action, uint16_t address)
{
    switch (action) {
    case BCC: branch(cpu, address, !(cpu->p & CARRY)); return 1;
    case BCS: branch(cpu, address, cpu->p & CARRY); return 1;
    case BEQ: branch(cpu, address, cpu->p & ZERO); return 1;
    case BNE: branch(cpu, address, !(cpu->p & ZERO)); return 1;
    case BMI: branch(cpu, address, cpu->p & NEGATIVE); return 1;
    case BPL: branch(cpu, address, !(cpu->p & NEGATIVE)); return 1;
    case BVC: branch(cpu, address, !(cpu->p & OVERFLOW_)); return 1;
    case BVS: branch(cpu, address, cpu->p & OVERFLOW_); return 1;
    case JMP: cpu->pc = address; return 1;
    case JSR: push_word(cpu, cpu->pc - 1); cpu->pc = address; return 1;
    case RTS: cpu->pc = (uint16_t)(pull_word(cpu) + 1); return 1;
    case RTI: cpu->p = (uint8_t)((pull(cpu) & ~BREAK) | ALWAYS); cpu->pc = pull_word(cpu); return 1;
    case BRK:
        push_word(cpu, cpu->pc + 1);
        push(cpu, cpu->p | BREAK | ALWAYS);
        set_flag(cpu, NO_INTERRUPT, 1);
        cpu->pc = read_word(cpu, 0xFFFE);
        return 1;
    case HLT: cpu->halted = 1; cpu->pc--; return 1;
    case PHA: push(cpu, cpu->a); return 1;
    case PHP: push(cpu, cpu->p | BREAK | ALWAYS); return 1;
    case PLA: cpu->a = told(cpu, pull(cpu)); return 1;
    case PLP: cpu->p = (uint8_t)((pull(cpu) & ~BREAK) | ALWAYS); return 1;
    case CLC: set_flag(cpu, CARRY, 0); return 1;
    case SEC: set_flag(cpu, CARRY, 1); return 1;
    case CLI: set_flag(cpu, NO_INTERRUPT, 0); return 1;
    case SEI: set_flag(cpu, NO_INTERRUPT, 1); return 1;
    case CLD: set_flag(cpu, 8, 0); return 1;
    case SED: set_flag(cpu, 8, 1); return 1;
    case CLV: set_flag(cpu, OVERFLOW_, 0); return 1;
    default: return 0;
    }
}

/* Instructions between registers. Returns whether it was one of them. */
static int between(Cpu *cpu, int action)
{
    switch (action) {
    case DEX: cpu->x = told(cpu, cpu->x - 1); return 1;
    case DEY: cpu->y = told(cpu, cpu->y - 1); return 1;
    case INX: cpu->x = told(cpu, cpu->x + 1); return 1;
    case INY: cpu->y = told(cpu, cpu->y + 1); return 1;
    case TAX: cpu->x = told(cpu, cpu->a); return 1;
    case TAY: cpu->y = told(cpu, cpu->a); return 1;
    case TSX: cpu->x = told(cpu, cpu->s); return 1;
    case TXA: cpu->a = told(cpu, cpu->x); return 1;
    case TYA: cpu->a = told(cpu, cpu->y); return 1;
    case TXS: cpu->s = cpu->x; return 1;
    case NOP: return 1;
    default: return 0;
    }
}

/* Instructions on a value in memory. */
static void on_memory(Cpu *cpu, int action, uint16_t address)
{
    uint8_t value;
    switch (action) {
    case STA: write(cpu, address, cpu->a); return;
    case STX: write(cpu, address, cpu->x); return;
    case STY: write(cpu, address, cpu->y); return;
    case SAX: write(cpu, address, cpu->a & cpu->x); return;
    default: break;
    }
    value = read(cpu, address);
    switch (action) {
    case LDA: cpu->a = told(cpu, value); break;
    case LDX: cpu->x = told(cpu, value); break;
    case LDY: cpu->y = told(cpu, value); break;
    case LAX: cpu->a = cpu->x = told(cpu, value); break;
    case ADC: add(cpu, value); break;
    case SBC: add(cpu, value ^ 0xFF); break;
    case AND: cpu->a = told(cpu, cpu->a & value); break;
    case ORA: cpu->a = told(cpu, cpu->a | value); break;
    case EOR: cpu->a = told(cpu, cpu->a ^ value); break;
    case CMP: compare(cpu, cpu->a, value); break;
    case CPX: compare(cpu, cpu->x, value); break;
    case CPY: compare(cpu, cpu->y, value); break;
    case BIT:
        set_flag(cpu, ZERO, !(cpu->a & value));
        set_flag(cpu, NEGATIVE, value & 0x80);
        set_flag(cpu, OVERFLOW_, value & 0x40);
        break;
    case DEC: write(cpu, address, told(cpu, value - 1)); break;
    case INC: write(cpu, address, told(cpu, value + 1)); break;
    case DCP: write(cpu, address, --value); compare(cpu, cpu->a, value); break;
    case ISC: write(cpu, address, ++value); add(cpu, value ^ 0xFF); break;
    case SLO: value = shifted(cpu, ASL, value); write(cpu, address, value); cpu->a = told(cpu, cpu->a | value); break;
    case RLA: value = shifted(cpu, ROL, value); write(cpu, address, value); cpu->a = told(cpu, cpu->a & value); break;
    case SRE: value = shifted(cpu, LSR, value); write(cpu, address, value); cpu->a = told(cpu, cpu->a ^ value); break;
    case RRA: value = shifted(cpu, ROR, value); write(cpu, address, value); add(cpu, value); break;
    default: write(cpu, address, shifted(cpu, action, value)); break;
    }
}

static void step(Cpu *cpu)
{
    const Instruction *in = &INSTRUCTIONS[read(cpu, cpu->pc++)];
    uint16_t address = find(cpu, in);
    cpu->clock += in->cycles;
    if (control(cpu, in->action, address) || between(cpu, in->action))
        return;
    if (in->mode == ACC)
        cpu->a = shifted(cpu, in->action, cpu->a);
    else
        on_memory(cpu, in->action, address);
}

EXPORT int64_t cpu_size(void) { return (int64_t)sizeof(Cpu); }

/* Switches it on. image: [n_banks][4096]. windows: [10], banks at $6000, $7000 and so on; below 0 for RAM, which the first
 * two can be. chips: a bit for each of expansion.h. clocks, addresses, values: [room], where writes are noted. */
EXPORT void cpu_power_on(Cpu *cpu, uint8_t *image, int64_t n_banks, const int64_t *windows, int64_t chips, int64_t room,
                         int64_t *clocks, uint16_t *addresses, uint8_t *values)
{
    memset(cpu, 0, sizeof *cpu);
    cpu->s = 0xFD;
    cpu->p = NO_INTERRUPT | ALWAYS;
    cpu->idle = 1;
    cpu->image = image;
    cpu->n_banks = n_banks;
    cpu->chips = chips;
    for (int i = 0; i < 2; i++)
        cpu->low[i] = windows[i] < 0 ? -1 : windows[i] % n_banks;
    for (int i = 0; i < 8; i++)
        cpu->windows[i] = windows[i + 2] % n_banks;
    cpu->room = room;
    cpu->clocks = clocks;
    cpu->addresses = addresses;
    cpu->values = values;
}

/* Calls a subroutine, which then runs with `cpu_run`. */
EXPORT void cpu_call(Cpu *cpu, int32_t address, int32_t a, int32_t x)
{
    cpu->s = 0xFD;
    push_word(cpu, RETURN - 1);
    cpu->pc = (uint16_t)address;
    cpu->a = (uint8_t)a;
    cpu->x = (uint8_t)x;
    cpu->y = 0;
    cpu->idle = cpu->halted = 0;
}

/* Resets it, or interrupts it as the picture does, by the vector at an address. */
EXPORT void cpu_interrupt(Cpu *cpu, int32_t vector)
{
    push_word(cpu, cpu->pc);
    push(cpu, (cpu->p & ~BREAK) | ALWAYS);
    set_flag(cpu, NO_INTERRUPT, 1);
    cpu->pc = read_word(cpu, (uint16_t)vector);
    cpu->clock += 7;
    cpu->idle = cpu->halted = 0;
}

/* Runs up to a clock, or until the subroutine returns. Returns whether it did. */
EXPORT int32_t cpu_run(Cpu *cpu, int64_t until)
{
    while (!cpu->idle && !cpu->halted && cpu->clock < until) {
        step(cpu);
        cpu->idle = cpu->pc == RETURN;
    }
    return cpu->idle;
}

/* Calls a subroutine once every so many clocks, which need not be whole, as long as there is room for what it writes:
 * the room of a frame is `most` notes. A call that has not returned when the next one is due goes on instead. frame:
 * those before; frames: how many to run at most. ends: [frames], the notes so far at the end of each. Returns how many
 * frames ran. */
EXPORT int64_t cpu_frames(Cpu *cpu, int32_t address, double period, int64_t frame, int64_t frames, int64_t most,
                          int64_t *ends)
{
    int64_t i = 0;
    for (; i < frames && cpu->count + most <= cpu->room; i++) {
        int64_t begin = (int64_t)((double)(frame + i) * period), end = (int64_t)((double)(frame + i + 1) * period);
        if (cpu->idle || cpu->halted) {
            cpu->clock = cpu->clock > begin ? cpu->clock : begin;
            cpu_call(cpu, address, 0, 0);
        }
        cpu_run(cpu, end);
        ends[i] = cpu->count < cpu->room ? cpu->count : cpu->room;
    }
    return i;
}
