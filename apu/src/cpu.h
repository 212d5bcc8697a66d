/* The console's processor, a 6502 without decimal numbers, with the memory that music programs see.
 *
 * $0000 to $1FFF is the RAM of 2 KiB, $6000 to $7FFF more RAM. From $8000 on, eight windows of 4 KiB show banks of an
 * image; writes to $5FF8 to $5FFF choose them, as in NSF files. Writes to anything but RAM are noted down with their
 * clock. With a Disk System, banks are RAM up to $DFFF, and $5FF6 and $5FF7 show banks at $6000 and $7000. MMC5 multiplies
 * and has a KiB of RAM at $5C00; N163's memory can be read.
 *
 * Source: MOS, MCS6500 programming manual; NESdev wiki, "CPU unofficial opcodes", "NSF".
 */
#ifndef LAKHNES_CPU_H
#define LAKHNES_CPU_H

#include <stdint.h>

typedef struct {
    int64_t clock; /* cycles since it was switched on */
    uint16_t pc;
    uint8_t a, x, y, s, p;
    uint8_t halted;  /* by an instruction that real ones never come back from */
    uint8_t idle;    /* whether a subroutine that was called has returned */
    uint8_t pad;     /* the buttons that are down: A is the highest bit, right the lowest */
    uint8_t pad_left; /* bits of them that were read already */
    uint8_t enabled, dmc_rate, dmc_size, dmc_loop;
    uint8_t padding[3];
    int64_t dmc_end; /* clock at which the DMC's sample has ended */
    uint8_t ram[0x800], more[0x2000];
    uint8_t *image;
    int64_t n_banks;
    int64_t windows[8]; /* the bank that each shows */
    int64_t low[2];     /* the banks that are shown at $6000 and $7000; below 0 for the RAM */
    int64_t chips;      /* those on the cartridge, a bit for each of expansion.h */
    uint8_t factors[2], sound_address, sound_rises; /* of MMC5's multiplication; where N163's memory is read */
    uint8_t padding_more[4];
    uint8_t sound_memory[128], mmc5_memory[0x400];
    int64_t room, count; /* of the notes, and how many there are; those beyond the room are lost */
    int64_t *clocks;
    uint16_t *addresses;
    uint8_t *values;
} Cpu;

#endif
