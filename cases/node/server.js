'use strict';
const fs = require('fs');
const path = require('path');
const express = require('express');

const app = express();
app.use(require('compression')({ threshold: 100 }));
app.use(express.json());
app.use(express.urlencoded({ extended: true }));
app.use('/static', express.static('public', { dotfiles: 'ignore' }));
app.set('views', 'views');

const plugins = Object.fromEntries(
  fs.readdirSync(path.join(__dirname, 'plugins')).sort().map(name => [path.parse(name).name, name]));

app.get('/', (req, res) => res.send('<a href="/page/ejs">page</a> <a href="/plugins">plugins</a>'));
app.get('/page/:engine', (req, res, next) =>
  res.render('page.' + req.params.engine, { name: req.query.name || 'x' }, (e, html) => e ? next(e) : res.send(html)));
app.get('/plugins', (req, res) => res.json(Object.keys(plugins)));
app.get('/plugins/:name', (req, res) => res.send(require('./plugins/' + plugins[req.params.name])(req.query.text)));
app.post('/echo', (req, res) => res.status(201).json(req.body));
app.get('/encode/:name', (req, res) => res.send(require('iconv-lite').encode('grüße 日本', req.params.name).toString('hex')));
app.get('/zone', (req, res) => res.send(require('moment-timezone').tz(1700000000000, req.query.name).format()));
app.get('/intl', (req, res) => res.send(new Intl.DateTimeFormat(req.query.locale,
  { dateStyle: 'full', timeStyle: 'long', timeZone: req.query.zone }).format(new Date(1700000000000))));
app.get('/local-time', (req, res) => res.send(new Date(1700000000000).toString()));
app.get('/markdown', (req, res) => res.send(require('marked').parse('# A\n\n| a | b |\n|---|---|\n| 1 | 2 |')));
app.get('/yaml', (req, res) => res.send(require('js-yaml').dump({ a: [1, { b: 'ü' }], d: new Date(0) })));
app.get('/module', async (req, res) => res.json(Object.keys(await import('./plugins/lazy.mjs'))));
app.get('/hash/:name', (req, res) => res.send(require('crypto').createHash(req.params.name).update('x').digest('hex')));
app.get('/pack/:name', (req, res) => res.send(require('zlib')[req.params.name](Buffer.from('x'.repeat(500))).length.toString()));
app.get('/fetch', (req, res) => require('https').get(req.query.url, r => r.pipe(res)).on('error', e => res.status(502).send(e.code)));
app.get('/lookup', (req, res) => require('dns').lookup(req.query.name, { family: 4 }, (e, a) => res.send(e ? e.code : typeof a)));
app.get('/whoami', (req, res) => res.json({ uid: process.getuid(), name: require('os').userInfo().username }));
app.get('/run', (req, res) => require('child_process').execFile('git', ['--version'], (e, out) => res.send(e ? e.code : out.slice(0, 11))));
app.get('/shell', (req, res) => require('child_process').exec('echo a | tr a b', (e, out) => res.send(e ? String(e.code) : out)));
app.get('/worker', (req, res) => {
  const { Worker } = require('worker_threads');
  new Worker('./plugins/worker.js', { workerData: 20 }).on('message', m => res.send(String(m))).on('error', e => res.status(500).send(e.message));
});
app.get('/wasm', async (req, res) => {
  const bytes = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
  res.send(String((await WebAssembly.instantiate(bytes)).instance.exports.add(40, 2)));
});
app.post('/upload/:name', express.raw({ type: '*/*' }), (req, res) => {
  fs.writeFileSync(path.join('uploads', path.basename(req.params.name)), req.body);
  res.json(fs.readdirSync('uploads'));
});
app.use((req, res) => res.status(404).render('missing.pug'));
app.use((error, req, res, next) => res.status(500).send(error.message.split('\n')[0].slice(0, 40)));

const server = app.listen(3000, () => console.log('listening'));
const sockets = new (require('ws').WebSocketServer)({ server, path: '/socket' });
sockets.on('connection', socket => socket.on('message', m => socket.send('echo ' + m)));
process.on('SIGTERM', () => { console.log('closing'); server.close(() => process.exit(0)); server.closeAllConnections(); });
process.on('SIGHUP', () => console.log('hup'));
