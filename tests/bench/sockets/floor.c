/* What the kernel alone costs: canned answers and one bare send() for each message, no protocol, no library.

   floor PORT — serves until killed. Speaks just enough for load.c: a handshake, an ack for each request, and for
   ["blast",HOW,N,…] N events to everybody. A request is believed to come whole and alone. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILES_MAX = 65536 };
static const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x0c" "0{\"sid\":\"x\"}";
static const char OPENED[] = "\x81\x0d" "40{\"sid\":\"x\"}";
static const char ACK[] = "\x81\x10" "431[{\"ok\":true}]";
static char news[137] = "\x81\x7e\x00\x85" "42[\"news\",";  /* as long as the others' */
static int members[FILES_MAX], count, place[FILES_MAX];

static void write_all(int fd, const char *bytes, size_t size) {
	if (send(fd, bytes, size, MSG_NOSIGNAL) < 0) return;  /* gone; the loop hears of it */
}

static void leave(int fd) {
	if (place[fd]) {
		int last = members[--count];
		members[place[fd] - 1] = last, place[last] = place[fd], place[fd] = 0;
	}
	close(fd);
}

static void blast(const char *masked, ssize_t size) {
	char text[256] = "";
	const unsigned char *head = (const unsigned char *)masked;
	ssize_t skip = (head[1] & 127) == 126 ? 8 : 6;
	for (ssize_t i = 0; skip + i < size && i < 255; i++) text[i] = (char)(masked[skip + i] ^ head[skip - 4 + (i & 3)]);
	const char *how = strstr(text, "[\"blast\",\"");
	const char *number = how ? strstr(how + 10, "\",") : NULL;
	for (int events = number ? atoi(number + 2) : 0; events > 0; events--)
		for (int i = 0; i < count; i++) write_all(members[i], news, sizeof news);
}

static void answer(int fd) {
	static char data[65536];
	ssize_t size = recv(fd, data, sizeof data, 0);
	if (size <= 0) {
		leave(fd);
	} else if (data[0] == 'G') {
		write_all(fd, UPGRADED, sizeof UPGRADED - 1);
	} else if (!place[fd]) {
		members[count++] = fd, place[fd] = count;
		write_all(fd, OPENED, sizeof OPENED - 1);
	} else {
		blast(data, size);
		write_all(fd, ACK, sizeof ACK - 1);
	}
}

int main(int arguments, char **argument) {
	if (arguments != 2) return 2;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argument[1]))};
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int yes = 1, door = socket(AF_INET, SOCK_STREAM, 0), poller = epoll_create1(0);
	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(door, (struct sockaddr *)&here, sizeof here) || listen(door, 4096)) return perror("floor"), 1;
	memset(news + 14, 'x', sizeof news - 15);
	news[sizeof news - 1] = ']';
	epoll_ctl(poller, EPOLL_CTL_ADD, door, &(struct epoll_event){.events = EPOLLIN, .data.fd = door});
	for (struct epoll_event events[256];;) {
		int ready = epoll_wait(poller, events, 256, -1);
		for (int i = 0; i < ready; i++) {
			if (events[i].data.fd != door) {
				answer(events[i].data.fd);
				continue;
			}
			int peer = accept(door, NULL, NULL);
			if (peer < 0 || peer >= FILES_MAX) return 1;
			setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
			epoll_ctl(poller, EPOLL_CTL_ADD, peer, &(struct epoll_event){.events = EPOLLIN, .data.fd = peer});
		}
	}
}
