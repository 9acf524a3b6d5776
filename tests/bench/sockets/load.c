/* The load of the socket benchmark: many Socket.IO clients in one epoll loop, and what their server used meanwhile.

   load PORT PID CLIENTS [name=value ...] PHASE ...

   Connects, then runs the phases in their order; each prints one line of JSON: how many messages, in how many seconds,
   the CPU of process PID in that time, and latencies in microseconds. All clients are cut at the end.

     options   ns=/worker,      namespace (the main one), with its comma
               tokens=FILE      one access token a line, for one client each
               group=4          auth.room is shared by so many clients that follow each other
     phases    fanout:HOW:N     one client asks for N events to everybody, HOW = turn (one a loop turn) or burst
               live:MS:KEYS     one client asks for KEYS values that change all the time, for so long
               echo:N:MS        N clients with one acknowledged request in flight each
               rate:NAME:R:MS:S every S-th client sends, R messages a second in all, at planned instants (open loop)
               rss              resident memory of the server, now and before the first client came
               drop:N:MS:H      N clients are reset at once; meanwhile the last H ask, one every 5 ms
               wait:MS          until the server has closed every connection */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_MAX = 1 << 18, MESSAGE_MAX = 4096, SAMPLES_MAX = 1 << 22, CLIENTS_PER_ADDRESS = 4000, AT_ONCE = 64 };
static const long SECOND = 1000000000, MILLI = 1000000, PATIENCE = 60 * SECOND;
static char filler[105];  /* makes the frame of an event 137 bytes */

struct bytes { char *at; size_t size; };

struct client {
	enum { AWAY, UPGRADING, OPENING, JOINED } state;
	int fd, waits_to_write, number;
	long asked_at;    /* of the one request whose latency counts; 0: none */
	uint32_t said;
	struct bytes half;   /* the beginning of a frame whose rest has not come */
	struct bytes unsent;
};

static struct {
	int port, pid, clients, group, tokens_count;
	const char *ns;
	char **tokens;
} given = {.group = 4, .ns = ""};

static struct client *clients;
static long started;
static int poller, opened, joined, opening, counts_relays;
static char read_buffer[READ_MAX + (1 << 21)];

/* What the phase that runs has seen. */
static struct {
	const char *name;
	long began, cpu, last;
	unsigned long heard, acked, errors, skipped, closings, hung_up;
	uint32_t *samples, sampled;
} seen;

static void die(const char *format, ...) {
	va_list rest;
	va_start(rest, format);
	vfprintf(stderr, format, rest);
	fprintf(stderr, " (phase %s: %lu heard, %lu acked, %d joined)\n", seen.name, seen.heard, seen.acked, joined);
	exit(1);
}

static long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* Nanoseconds all threads of the server have run; finer than the clock ticks of /proc/PID/stat. */
static long server_cpu(void) {
	char path[300];
	snprintf(path, sizeof path, "/proc/%d/task", given.pid);
	DIR *threads = opendir(path);
	if (!threads) return 0;
	long sum = 0;
	for (struct dirent *entry; (entry = readdir(threads));) {
		if (entry->d_name[0] == '.') continue;
		snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", given.pid, entry->d_name);
		FILE *file = fopen(path, "r");
		long ran;
		if (file && fscanf(file, "%ld", &ran) == 1) sum += ran;
		if (file) fclose(file);
	}
	closedir(threads);
	return sum;
}

static long server_rss(void) {
	char path[60];
	long pages = 0;
	snprintf(path, sizeof path, "/proc/%d/statm", given.pid);
	FILE *file = fopen(path, "r");
	if (!file || fscanf(file, "%*d %ld", &pages) != 1) die("no server %d", given.pid);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/* -- sending --------------------------------------------------------------------------------------------------- */

static void keep(struct bytes *where, const char *from, size_t size) {
	where->at = realloc(where->at, where->size + size);
	if (!where->at) die("out of memory");
	memcpy(where->at + where->size, from, size);
	where->size += size;
}

static void forget(struct bytes *what, size_t size) {
	what->size -= size;
	memmove(what->at, what->at + size, what->size);
	if (what->size) return;
	free(what->at);
	what->at = NULL;
}

static void look_for(struct client *c, int to_write) {
	if (c->waits_to_write == to_write) return;
	c->waits_to_write = to_write;
	struct epoll_event event = {.events = EPOLLIN | (to_write ? EPOLLOUT : 0), .data.ptr = c};
	epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void gone(struct client *c) {
	if (c->state == AWAY) return;
	if (c->state == JOINED) joined--; else opening--;
	close(c->fd);
	if (c->half.size) forget(&c->half, c->half.size);
	if (c->unsent.size) forget(&c->unsent, c->unsent.size);
	c->state = AWAY;
	c->asked_at = 0;
}

static void flush(struct client *c) {
	ssize_t sent = send(c->fd, c->unsent.at, c->unsent.size, MSG_NOSIGNAL);
	if (sent > 0) forget(&c->unsent, sent);
	if (!c->unsent.size) look_for(c, 0);
}

/* One masked frame. */
static void send_frame(struct client *c, int opcode, const char *text, size_t size) {
	static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	char frame[MESSAGE_MAX + 8];
	size_t at = 2;
	frame[0] = (char)(0x80 | opcode);
	if (size < 126) frame[1] = (char)(0x80 | size);
	else frame[1] = (char)(0x80 | 126), frame[2] = (char)(size >> 8), frame[3] = (char)size, at = 4;
	memcpy(frame + at, mask, 4);
	for (size_t i = 0; i < size; i++) frame[at + 4 + i] = (char)(text[i] ^ mask[i & 3]);
	size += at + 4;
	ssize_t sent = c->unsent.size ? 0 : send(c->fd, frame, size, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN) return;  /* the end is read, too */
	at = sent < 0 ? 0 : sent;
	if (at == size) return;
	keep(&c->unsent, frame + at, size - at);
	look_for(c, 1);
}

__attribute__((format(printf, 2, 3))) static void say(struct client *c, const char *format, ...) {
	char text[MESSAGE_MAX];
	va_list rest;
	va_start(rest, format);
	int size = vsnprintf(text, sizeof text, format, rest);
	va_end(rest);
	if (size >= (int)sizeof text) die("a message of %d bytes", size);
	send_frame(c, 1, text, size);
}

/* A request that will be acknowledged; `planned` is when it should have left. */
static void ask(struct client *c, const char *event, long planned) {
	struct timespec t;
	c->asked_at = planned;
	c->said++;
	if (strcmp(event, "position")) {
		say(c, "42%s%u[\"%s\",{\"t\":%ld,\"call_id\":\"cal_%010d\",\"text\":\"%s\"}]", given.ns, c->said, event,
		    planned, c->number, filler);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &t);  /* a slow walk, so that every fix is a new place */
	long ms = t.tv_sec * 1000 + t.tv_nsec / MILLI;
	say(c, "42%s%u[\"position\",[%ld,%ld,%.9f,104.05,10.0,0.3,0]]", given.ns, c->said, ms, ms,
	    30.66 + c->number * 1e-5 + (double)(now() - started) * 3e-15);
}

/* -- receiving ------------------------------------------------------------------------------------------------- */

static void sample(long nanoseconds) {
	if (seen.sampled < SAMPLES_MAX) seen.samples[seen.sampled++] = (uint32_t)(nanoseconds / 1000);
}

static int starts(const char *text, size_t size, const char *with) {
	size_t length = strlen(with);
	return size >= length && !memcmp(text, with, length);
}

static void join(struct client *c) {
	c->state = OPENING;
	char auth[MESSAGE_MAX - 200] = "";
	if (given.tokens_count)
		snprintf(auth, sizeof auth, "\"token\":\"%s\",", given.tokens[c->number % given.tokens_count]);
	say(c, "40%s{%s\"room\":\"r%d\"}", given.ns, auth, c->number / given.group);
}

static void told(struct client *c, const char *text, size_t size) {
	if (starts(text, size, "42")) {
		seen.heard++;
		const char *planned = counts_relays ? memmem(text, size, "\"t\":", 4) : NULL;
		if (planned) sample(now() - atol(planned + 4));
		else if (memmem(text, size < 40 ? size : 40, "\"closing\"", 9)) seen.closings++;
	} else if (starts(text, size, "43")) {
		seen.acked++;
		if (c->asked_at && !counts_relays) sample(now() - c->asked_at);
		c->asked_at = 0;
		if ((memmem(text, size, "\"error\"", 7) || memmem(text, size, "\"accepted\":0", 12)) && !seen.errors++)
			fprintf(stderr, "%s: %.*s\n", seen.name, (int)size, text);
	} else if (starts(text, size, "40") && c->state == OPENING) {
		c->state = JOINED, joined++, opening--;
	} else if (starts(text, size, "44")) {
		die("refused: %.*s", (int)size, text);
	} else if (starts(text, size, "2")) {
		send_frame(c, 1, "3", 1);
	} else if (starts(text, size, "0")) {
		join(c);
	}
}

/* Handle whole frames; returns how many bytes they were. */
static size_t take_frames(struct client *c, const char *data, size_t size) {
	size_t at = 0;
	while (size - at >= 2 && c->state != AWAY) {
		const unsigned char *head = (const unsigned char *)data + at;
		size_t length = head[1] & 127, skip = length == 127 ? 10 : length == 126 ? 4 : 2;
		if (size - at < skip) break;
		if (skip > 2) length = 0;
		for (size_t i = 2; i < skip; i++) length = length << 8 | head[i];
		if (length > sizeof read_buffer - READ_MAX) die("a frame of %zu bytes", length);
		if (size - at < skip + length) break;
		const char *payload = data + at + skip;
		switch (head[0] & 15) {
		case 1: told(c, payload, length); break;
		case 8: seen.hung_up++, gone(c); break;
		case 9: send_frame(c, 10, payload, length); break;
		}
		at += skip + length;
	}
	return at;
}

/* The answer to the handshake; returns how many bytes it was, 0 while it is not whole. */
static size_t take_upgrade(struct client *c, const char *data, size_t size) {
	const char *end = memmem(data, size, "\r\n\r\n", 4);
	if (!end) return 0;
	if (!starts(data, size, "HTTP/1.1 101")) die("no WebSocket: %.60s", data);
	c->state = OPENING;
	return end + 4 - data;
}

static void receive(struct client *c) {
	size_t size = c->half.size, used = 0;
	if (size) memcpy(read_buffer, c->half.at, size), forget(&c->half, size);
	ssize_t got = recv(c->fd, read_buffer + size, READ_MAX, 0);
	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		seen.hung_up++;
		gone(c);
		return;
	}
	size += got > 0 ? got : 0;
	if (c->state == UPGRADING) used = take_upgrade(c, read_buffer, size);
	if (c->state != UPGRADING) used += take_frames(c, read_buffer + used, size - used);
	if (c->state != AWAY && used < size) keep(&c->half, read_buffer + used, size - used);
}

static void turn(long wait) {
	struct epoll_event events[512];
	struct timespec patience = {wait / SECOND, wait % SECOND};
	int count = epoll_pwait2(poller, events, 512, wait > 0 ? &patience : &(struct timespec){0}, NULL);
	for (int i = 0; i < count; i++) {
		struct client *c = events[i].data.ptr;
		if (c->state != AWAY && events[i].events & EPOLLOUT) flush(c);
		if (c->state != AWAY && events[i].events & ~EPOLLOUT) receive(c);
	}
	long at = now();
	if (count > 0) seen.last = at;
	if (at - seen.began > PATIENCE) die("waited too long");
}

/* -- phases ---------------------------------------------------------------------------------------------------- */

static void begin(const char *name) {
	uint32_t *samples = seen.samples;
	memset(&seen, 0, sizeof seen);
	seen.samples = samples, seen.name = name;
	counts_relays = 0;
	for (int i = 0; i < given.clients; i++) clients[i].asked_at = 0;
	seen.cpu = server_cpu();
	seen.began = now();
}

static int by_size(const void *left, const void *right) {
	return (*(const uint32_t *)left > *(const uint32_t *)right) - (*(const uint32_t *)left < *(const uint32_t *)right);
}

static uint32_t rank(double part) {
	return seen.sampled ? seen.samples[(uint32_t)((seen.sampled - 1) * part)] : 0;
}

static void report(long ended, long cpu, unsigned long count) {
	qsort(seen.samples, seen.sampled, sizeof *seen.samples, by_size);
	printf("{\"phase\":\"%s\",\"count\":%lu,\"seconds\":%.6f,\"cpu_us\":%.1f,\"p50_us\":%u,\"p99_us\":%u,"
	       "\"max_us\":%u,\"errors\":%lu,\"skipped\":%lu,\"closings\":%lu,\"hung_up\":%lu,\"rss\":%ld}\n",
	       seen.name, count, (double)(ended - seen.began) / SECOND, (cpu - seen.cpu) / 1e3, rank(0.5), rank(0.99),
	       rank(1), seen.errors, seen.skipped, seen.closings, seen.hung_up, server_rss());
	fflush(stdout);
}

/* Wait until the server has done what others left it to do, so that it is not counted as ours. */
static void settle(void) {
	for (long end = now() + 15 * SECOND, before, began; now() < end;) {
		before = server_cpu(), began = now();
		while (now() - began < 50 * MILLI) turn(10 * MILLI);
		if (server_cpu() - before < 10 * MILLI) return;
	}
}

static void open_client(struct client *c) {
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(given.port)};
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->number / CLIENTS_PER_ADDRESS);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int yes = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0) die("socket: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));  /* reset, no TIME_WAIT */
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect: %s", strerror(errno));
	epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
	static const char hello[] = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n";
	c->state = UPGRADING;
	opening++;
	keep(&c->unsent, hello, sizeof hello - 1);
	look_for(c, 1);
}

static void connect_all(void) {
	begin("connect");
	while (joined < given.clients) {
		while (opened < given.clients && opening < AT_ONCE) {
			clients[opened].number = opened;
			open_client(&clients[opened++]);
		}
		turn(SECOND);
		if (seen.hung_up) die("the server hung up on a newcomer");
	}
	report(now(), server_cpu(), joined);
	settle();
}

static void fan_out(const char *how, int events) {
	say(&clients[0], "42%s1[\"blast\",\"%s\",%d,\"%s\"]", given.ns, how, events, filler);
	while (seen.heard < (unsigned long)joined * events || !seen.acked) turn(SECOND);
	report(seen.last, server_cpu(), seen.heard);
}

static void live(int milliseconds, int keys) {
	say(&clients[0], "42%s1[\"live\",%d,%d,\"%s\"]", given.ns, milliseconds, keys, filler);
	while (!seen.acked) turn(SECOND);
	for (unsigned long before = seen.heard + 1; before != seen.heard;) {
		before = seen.heard;
		for (long end = now() + 100 * MILLI; now() < end;) turn(end - now());
	}
	report(seen.last, server_cpu(), seen.heard);
}

static void echo(int count, long length) {
	while (now() - seen.began < length) {
		for (int i = 0; i < count; i++)
			if (clients[i].state == JOINED && !clients[i].asked_at) ask(&clients[i], "ask", now());
		turn(100 * MILLI);
	}
	report(now(), server_cpu(), seen.acked);
}

/* Open loop: a server that falls behind does not slow its own measurement down. */
static void at_rate(const char *event, long rate, long length, int step) {
	counts_relays = !strcmp(event, "say");
	long total = rate * length / SECOND, senders = given.clients / step, sent = 0, planned = 0;
	while (sent < total || (long)(seen.acked + seen.skipped) < total) {
		for (; sent < total && (planned = seen.began + sent * SECOND / rate) <= now(); sent++) {
			struct client *c = &clients[sent % senders * step];
			if (c->state != JOINED || (c->asked_at && !counts_relays)) seen.skipped++;
			else ask(c, event, planned);
		}
		turn(sent < total ? planned + SECOND / rate - now() : SECOND);
	}
	report(now(), server_cpu(), seen.acked);
}

/* The last `healthy` clients ask in turn, one request each 5 ms; only one of each may wait for its answer. */
static void probe(const char *event, int healthy, long length) {
	int first = given.clients - healthy;
	for (long i = 0, began = now(), due; (due = began + i * 5 * MILLI) < began + length; i++) {
		while (now() < due) turn(due - now());
		struct client *c = &clients[first + i % healthy];
		if (c->state == JOINED && !c->asked_at) ask(c, event, due);
		else seen.skipped++;
	}
	for (long end = now() + 10 * SECOND; seen.acked + seen.skipped < (unsigned long)(length / (5 * MILLI)) && now() < end;)
		turn(10 * MILLI);
}

static void drop(int count, long length, int healthy) {
	const char *event = *given.ns ? "position" : "ask", *name = seen.name;
	begin("healthy");
	probe(event, healthy, length);
	report(now(), server_cpu(), seen.acked);
	begin(name);
	for (int i = 0; i < count; i++) gone(&clients[i]);
	probe(event, healthy, length);
	report(now(), server_cpu(), count);
}

static void run(char *phase) {
	static char name[100];
	char *part[6] = {0};
	long n[6] = {0};
	snprintf(name, sizeof name, "%s", phase);
	for (int i = 0; i < 6 && (part[i] = strsep(&phase, ":")); i++) n[i] = atol(part[i]);
	if (strcmp(part[0], "wait")) settle();
	begin(name);
	if (!strcmp(part[0], "fanout")) fan_out(part[1], n[2]);
	else if (!strcmp(part[0], "live")) live(n[1], n[2]);
	else if (!strcmp(part[0], "echo")) echo(n[1], n[2] * MILLI);
	else if (!strcmp(part[0], "rate")) at_rate(part[1], n[2], n[3] * MILLI, n[4]);
	else if (!strcmp(part[0], "rss")) report(now(), server_cpu(), joined);
	else if (!strcmp(part[0], "drop")) drop(n[1], n[2] * MILLI, n[3]);
	else if (!strcmp(part[0], "wait")) {
		while (joined && now() - seen.began < n[1] * MILLI) turn(10 * MILLI);
		report(now(), server_cpu(), joined);
	}
	else die("what is %s?", part[0]);
}

static void read_tokens(const char *path) {
	FILE *file = fopen(path, "r");
	if (!file) die("%s: %s", path, strerror(errno));
	given.tokens = calloc(given.clients, sizeof *given.tokens);
	for (char line[MESSAGE_MAX]; given.tokens_count < given.clients && fgets(line, sizeof line, file);)
		given.tokens[given.tokens_count++] = strndup(line, strcspn(line, "\n"));
	fclose(file);
}

static int is_option(const char *argument) {
	const char *value = strchr(argument, '=');
	if (!value++) return 0;
	if (starts(argument, strlen(argument), "ns=")) given.ns = value;
	else if (starts(argument, strlen(argument), "tokens=")) read_tokens(value);
	else if (starts(argument, strlen(argument), "group=")) given.group = atoi(value);
	else die("what is %s?", argument);
	return 1;
}

int main(int count, char **arguments) {
	if (count < 4) die("load PORT PID CLIENTS [name=value ...] PHASE ...");
	given.port = atoi(arguments[1]), given.pid = atoi(arguments[2]), given.clients = atoi(arguments[3]);
	prctl(PR_SET_TIMERSLACK, 1000);  /* wake at the planned instant, not up to 50 µs later */
	clients = calloc(given.clients, sizeof *clients);
	seen.samples = malloc(SAMPLES_MAX * sizeof *seen.samples);
	memset(filler, 'x', sizeof filler - 1);
	poller = epoll_create1(0), started = seen.began = now();
	int at = 4;
	while (at < count && is_option(arguments[at])) at++;
	settle();
	begin("before");
	report(now(), server_cpu(), 0);
	connect_all();
	for (; at < count; at++) run(arguments[at]);
	for (int i = 0; i < given.clients; i++) gone(&clients[i]);
	settle();
	return 0;
}
