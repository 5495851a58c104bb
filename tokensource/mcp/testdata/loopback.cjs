// Makes servers that would listen on all interfaces listen on loopback only.
// The address of a server must be known as soon as listen has returned, so no
// name is looked up.
const net = require('node:net');
const listen = net.Server.prototype._listen2;
net.Server.prototype._listen2 = function (address, port, type, ...rest) {
  return address || port < 0 ? listen.call(this, address, port, type, ...rest) : listen.call(this, '127.0.0.1', port, 4, ...rest);
};
