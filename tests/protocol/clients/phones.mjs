// Clients of one check, and waiting for what they hear. Only what the oldest client has too is used.
export class Phones {
  awaited = "nothing";
  #io;
  #url;
  #transports;
  #open = [];

  constructor(io, url, transports) {
    [this.#io, this.#url, this.#transports] = [io, url, transports];
  }

  get first() {
    return this.#transports[0];
  }

  get moves() {
    return this.#transports.length > 1;
  }

  // A client of its own, connecting; `beside` another one it shares the connection of that.
  open(namespace = "/", { beside, ...options } = {}) {
    const ours = { transports: this.#transports, reconnectionDelay: 10, reconnectionDelayMax: 50, forceNew: true };
    const socket = beside
      ? beside.io.socket(namespace, options)
      : this.#io(this.#url + namespace, { ...ours, ...options });
    this.#open.push(socket);
    return socket;
  }

  async connected(namespace, options) {
    const socket = this.open(namespace, options);
    await this.hears(socket, "connect");
    return socket;
  }

  // The arguments of the next such event.
  hears(emitter, event) {
    return this.wait(event, (done) => emitter.once(event, (...args) => done(args)));
  }

  // The arguments of the answer.
  ask(socket, event, ...args) {
    return this.wait(`an ack of ${event}`, (done) => socket.emit(event, ...args, (...answer) => done(answer)));
  }

  async wait(what, begin) {
    this.awaited = what;
    return new Promise(begin);
  }

  close() {
    for (const socket of this.#open) socket.disconnect();
  }
}
