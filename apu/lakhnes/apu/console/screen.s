; What a ROM does beside playing: its screen, its pad, and the console's start. It lies in the last bank, which the
; console finds at $F000; graphics and the screen's text come first.
;
; Given by name: TILES (pages of graphics), BARS (address on the screen of the first bar), SONGS (how many), MACHINE (1 for
; PAL). cursor_low and cursor_high are tables of the place on the screen in front of each song.

PPU_CONTROL = $2000
PPU_MASK = $2001
PPU_STATUS = $2002
PPU_SCROLL = $2005
PPU_ADDRESS = $2006
PPU_DATA = $2007
PAD = $4016

shadow = $08            ; the player's
from = $20
cursor = $22            ; the song that is chosen
shown = $23             ; the one whose cursor is on the screen
playing = $24           ; 0 while it is stopped
buttons = $25           ; A, B, select, start, up, down, left, right
before = $26
level = $27
voice = $28
bars = $30              ; the tiles of the bars, 8 for each of the 4 voices

reset:  sei
        cld
        ldx #$FF
        txs
        inx
        stx PPU_CONTROL
        stx PPU_MASK
        stx $4010
        stx $4015
        lda #$40
        sta $4017
        stx $5FF8       ; the player
warm:   bit PPU_STATUS
        bpl warm
        txa
zero:   sta $00,x
        inx
        bne zero
hot:    bit PPU_STATUS
        bpl hot

        lda #$3F
        ldx #$00
        jsr place
colour: lda palette,x
        sta PPU_DATA
        inx
        cpx #4
        bne colour
        lda #>graphics
        sta from+1
        ldx #0
        txa
        jsr place
        ldx #TILES
        jsr pages
        lda #$20
        ldx #$00
        jsr place
        ldx #4
        jsr pages
        jsr start
        lda #$80
        sta PPU_CONTROL
        lda #$0A
        sta PPU_MASK
idle:   jmp idle

; A, X: the place in the PPU's memory, high and low, that is written next.
place:  bit PPU_STATUS
        sta PPU_ADDRESS
        stx PPU_ADDRESS
        rts

; X: so many pages, from where `from` points, which goes on.
pages:  ldy #0
byte:   lda (from),y
        sta PPU_DATA
        iny
        bne byte
        inc from+1
        dex
        bne pages
        rts

; Once a frame, while the picture is not drawn: the screen first, then the music.
nmi:    pha
        txa
        pha
        tya
        pha
        jsr draw
        lda playing
        beq quiet
        jsr $8003
quiet:  jsr levels
        jsr press
        pla
        tay
        pla
        tax
        pla
irq:    rti

draw:   ldy #0
row:    tya
        asl
        asl             ; 4 times; a row of the screen is 32 bytes, a row of bars 8
        clc
        adc #<BARS
        tax
        lda #>BARS
        adc #0
        jsr place
tile:   lda bars,y
        sta PPU_DATA
        iny
        tya
        and #7
        bne tile
        cpy #32
        bne row
        ldy shown
        lda cursor_high,y
        ldx cursor_low,y
        jsr place
        lda #' '
        sta PPU_DATA
        ldy cursor
        sty shown
        lda cursor_high,y
        ldx cursor_low,y
        jsr place
        lda #'>'
        sta PPU_DATA
        lda #0
        sta PPU_SCROLL
        sta PPU_SCROLL
        lda #$80
        sta PPU_CONTROL
        rts

; The bars from what the registers hold: a tile for two steps of volume.
levels: ldx #0
        stx voice
each:   ldy voice
        lda shadow+$15
        and channel,y
        beq set         ; switched off
        tya
        asl
        asl
        tay
        lda shadow,y
        cpy #8
        beq third
        and #$1F
        cmp #$10
        and #$0F
        bcs set
        lda #15         ; an envelope runs, from full volume
        bne set
third:  and #$7F
        beq set
        lda #15         ; the triangle has no volume
set:    sta level
        ldy #8
step:   lda level
        cmp #2
        bcc least
        sbc #2
        sta level
        lda #2
        bne lay
least:  lsr level       ; 0 or 1, and 0 from now on
lay:    sta bars,x
        inx
        dey
        bne step
        inc voice
        cpx #32
        bne each
        rts

; The pad; the DMC can spoil a reading, so it is read until two agree.
press:  jsr read
again:  lda buttons
        pha
        jsr read
        pla
        cmp buttons
        bne again
        tax
        eor before
        and buttons     ; those that were not down
        stx before
        tay
        and #%10010000
        bne start
        tya
        and #%01000000
        bne stop
        tya
        and #%00100100
        bne down
        tya
        and #%00001000
        bne up
        rts
stop:   lda #0
        sta playing
        sta $4015
        sta shadow+$15
        rts
down:   ldx cursor
        inx
        cpx #SONGS
        bne move
        ldx #0
        beq move
up:     ldx cursor
        bne higher
        ldx #SONGS
higher: dex
move:   stx cursor
        rts

start:  lda cursor
        ldx #MACHINE
        jsr $8000
        lda #1
        sta playing
        rts

read:   lda #1
        sta PAD
        lda #0
        sta PAD
        ldx #8
button: lda PAD
        and #3
        cmp #1
        rol buttons
        dex
        bne button
        rts

channel:
        .byte 1, 2, 4, 8
palette:
        .byte $0F, $30, $2A, $16
