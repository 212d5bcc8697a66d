; The player of NSF files and ROMs. It lies at $8000; a window of 4 KiB at $9000 shows the data, bank by bank.
;
; The data of a song are tokens:
;   $00..$17 v      write v to $4000 + token
;   $80 + n         the frame ends, and so many more go by without a write, 0..63; what lies between two of
;                   these is a record
;   $C0 + n l h b   play n records, 1..62, that lie at address $hhll of bank b, then go on here
;   $C0 l h b       go on there
; Addresses lie in the window. Records that are played from elsewhere hold writes only.

bank_a = $5FF9          ; what the window shows
sample_bank = $5FFC     ; what $C000 shows, where the DMC finds its samples

at = $00                ; address of the next token
bank = $02              ; its bank
back = $03              ; address to go back to
back_bank = $05
left = $06              ; records until then; 0 for none
wait = $07              ; frames without a write
shadow = $08            ; what each register holds, $18 bytes

        .org $8000
        jmp init
        jmp play

; A: the song, from 0. All that the player ever reads is set here.
init:   tay
        lda #0
        sta left
        sta wait
        sta $4015
        ldx #$17
clear:  sta shadow,x
        dex
        bpl clear
        ldx #$13
silent: sta $4000,x
        dex
        bpl silent
        lda #$08        ; a sweep unit that never mutes
        sta $4001
        sta $4005
        lda #$0F
        sta $4015
        lda #$40        ; the frame counter without its interrupt
        sta $4017
        ldx song_samples,y
        beq plain
        stx sample_bank
        inx
        stx sample_bank+1
        inx
        stx sample_bank+2
plain:  lda song_low,y
        ldx song_high,y
        pha
        lda song_bank,y
        tay
        pla

; A, X: an address in the window; Y: its bank.
goto:   sta at
        stx at+1
        sty bank
        sty bank_a
        rts

play:   lda wait
        beq frame
        dec wait
        rts

frame:  jsr next
        cmp #$80
        bcs control
        tax
        jsr next
        sta $4000,x
        sta shadow,x
        jmp frame

control:
        cmp #$C0
        bcs refer
        and #$3F
        sta wait
        lda left
        beq done
        dec left
        bne done
        lda back
        ldx back+1
        ldy back_bank
        jmp goto
done:   rts

refer:  and #$3F
        sta left
        jsr next
        pha
        jsr next
        pha
        jsr next
        tay
        lda at
        sta back
        lda at+1
        sta back+1
        lda bank
        sta back_bank
        pla
        tax
        pla
        jsr goto
        jmp frame

; A: the next byte of the data. X stays.
next:   ldy #0
        lda (at),y
        inc at
        bne got
        inc at+1
        ldy at+1
        cpy #$A0
        bne got
        ldy #$90
        sty at+1
        inc bank
        ldy bank
        sty bank_a
got:    rts
