/* A MIDI port on a JACK server: messages with their frames, between Python and JACK's real-time thread.

   A ring has one writer and one reader, and neither ever waits. libjack is not linked: who opens the port
   hands in the functions, for it is that library's client. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { RING = 4096, LONGEST = 11, CHANNEL_MESSAGE = 3, NOTE_ON = 0x90, ACTIVE_SENSING = 0xFE };

typedef struct {
    uint32_t frame;
    uint8_t length, data[LONGEST];
} Message;

/* jack_midi_event_t */
typedef struct {
    uint32_t offset;
    size_t size;
    uint8_t *data;
} Event;

typedef struct {
    void *(*buffer)(void *port, uint32_t frames);
    void (*clear)(void *buffer);
    int (*write)(void *buffer, uint32_t offset, const uint8_t *data, size_t size);
    uint32_t (*count)(void *buffer);
    int (*get)(Event *event, void *buffer, uint32_t index);
    uint32_t (*cycle_start)(const void *client);
    uint32_t (*since_cycle_start)(const void *client);
} Jack;

typedef struct {
    Jack jack;
    void *client, *port;
    uint32_t stale; /* frames after which a note is not begun any more */
    int32_t sends;
    _Atomic uint32_t written, read;
    Message ring[RING];
} Port;

static int put(Port *port, const Message *message)
{
    uint32_t written = atomic_load_explicit(&port->written, memory_order_relaxed);
    if (written - atomic_load_explicit(&port->read, memory_order_acquire) == RING)
        return 1;
    port->ring[written % RING] = *message;
    atomic_store_explicit(&port->written, written + 1, memory_order_release);
    return 0;
}

static const Message *next(Port *port)
{
    uint32_t read = atomic_load_explicit(&port->read, memory_order_relaxed);
    if (read == atomic_load_explicit(&port->written, memory_order_acquire))
        return NULL;
    return &port->ring[read % RING];
}

static void done(Port *port)
{
    atomic_fetch_add_explicit(&port->read, 1, memory_order_release);
}

/* What is due in this cycle goes out at its frame, what is late at once; the order stays. */
static void send(Port *port, void *buffer, uint32_t start, uint32_t frames)
{
    uint32_t earliest = 0;
    const Message *message;
    port->jack.clear(buffer);
    while ((message = next(port)) != NULL) {
        int32_t offset = (int32_t)(message->frame - start);
        if (offset >= (int32_t)frames)
            return;
        int begins = (message->data[0] & 0xF0) == NOTE_ON && message->data[2] > 0;
        if (!(begins && offset < -(int32_t)port->stale)) {
            if (offset > (int32_t)earliest)
                earliest = (uint32_t)offset;
            if (port->jack.write(buffer, earliest, message->data, message->length) != 0)
                return; /* the cycle is full; the next one takes it */
        }
        done(port);
    }
}

/* A program before us may hold the cycle up for longer than it lasts. Programs count on from cycle to cycle, and
   the next one begins only now, so what they say in this one belongs to the time just before it. */
static void receive(Port *port, void *buffer, uint32_t start, uint32_t frames)
{
    uint32_t since = port->jack.since_cycle_start(port->client);
    if (since > frames)
        start += since - frames;
    uint32_t count = port->jack.count(buffer);
    for (uint32_t index = 0; index < count; index++) {
        Event event;
        Message message = {0};
        if (port->jack.get(&event, buffer, index) != 0 || event.size == 0 || event.size > CHANNEL_MESSAGE
            || event.data[0] == ACTIVE_SENSING)
            continue;
        message.frame = start + event.offset;
        message.length = (uint8_t)event.size;
        memcpy(message.data, event.data, event.size);
        put(port, &message);
    }
}

/* JACK's process callback. */
EXPORT int midi_process(uint32_t frames, void *argument)
{
    Port *port = argument;
    void *buffer = port->jack.buffer(port->port, frames);
    uint32_t start = port->jack.cycle_start(port->client);
    if (port->sends)
        send(port, buffer, start, frames);
    else
        receive(port, buffer, start, frames);
    return 0;
}

EXPORT int64_t midi_size(void)
{
    return sizeof(Port);
}

EXPORT void midi_begin(Port *port, const Jack *jack, void *client, void *of_jack, uint32_t stale, int32_t sends)
{
    memset(port, 0, sizeof *port);
    port->jack = *jack;
    port->client = client;
    port->port = of_jack;
    port->stale = stale;
    port->sends = sends;
}

/* Gives a message to the callback; 0 if there was room. */
EXPORT int32_t midi_put(Port *port, uint32_t frame, uint32_t length, const uint8_t *data)
{
    Message message = {.frame = frame, .length = (uint8_t)length};
    memcpy(message.data, data, length > LONGEST ? LONGEST : length);
    return put(port, &message);
}

/* Takes a message from the callback: its length, 0 if there is none. */
EXPORT int32_t midi_take(Port *port, uint32_t *frame, uint8_t *data)
{
    const Message *message = next(port);
    if (message == NULL)
        return 0;
    int32_t length = message->length;
    *frame = message->frame;
    memcpy(data, message->data, CHANNEL_MESSAGE);
    done(port);
    return length;
}

/* How many messages have not been taken yet. */
EXPORT uint32_t midi_waiting(Port *port)
{
    return atomic_load(&port->written) - atomic_load(&port->read);
}
