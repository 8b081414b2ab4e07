const table = require('./table.json'); module.exports = text => [...text].map(c => table[c] || c).join('');
