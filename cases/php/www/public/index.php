<?php
declare(strict_types=1);
spl_autoload_register(fn ($class) => @include __DIR__ . '/../src/' . strtr($class, '\\', '/') . '.php');
$path = explode('/', trim(explode('?', $_SERVER['REQUEST_URI'])[0], '/'));
$rest = array_map('urldecode', array_slice($path, 1));
header('Content-Type: text/plain; charset=utf-8');
echo match ($path[0]) {
    '' => '<a href="/time">time</a> <a href="/style.css">style</a>',
    'time' => (new DateTimeImmutable('@1700000000'))->setTimezone(new DateTimeZone(implode('/', $rest) ?: date_default_timezone_get()))->format('c T'),
    'intl' => (new IntlDateFormatter($rest[0], 0, 0, 'UTC'))->format(1700000000) . ' ' . (new NumberFormatter($rest[0], NumberFormatter::SPELLOUT))->format(42),
    'collate' => (function () use ($rest) { $words = ['z', 'ä', 'a']; (new Collator($rest[0]))->sort($words); return implode('', $words); })(),
    'encode' => bin2hex(mb_convert_encoding('grüße 日本', $rest[0], 'UTF-8')),
    'iconv' => bin2hex((string) iconv('UTF-8', implode('//', $rest), 'grüße €')),
    'image' => (function () use ($rest) { $i = imagecreatetruecolor(8, 8); ob_start(); ('image' . $rest[0])($i); return $rest[0] . (getimagesizefromstring(ob_get_clean())[0] ?? 'x'); })(),
    'font' => (string) imagefontwidth(5),
    'sql' => (new PDO('sqlite::memory:'))->query("select upper('x') || json('[1]')")->fetchColumn(),
    'xml' => (function () { $d = new DOMDocument; $d->loadXML('<a><b>x</b></a>'); return (new DOMXPath($d))->evaluate('string(//b)') . simplexml_load_string('<a b="1"/>')['b']; })(),
    'zip' => (function () { $f = tempnam('/tmp', 'z'); $z = new ZipArchive; $z->open($f, ZipArchive::OVERWRITE); $z->addFromString('a', 'b'); $z->close(); $z->open($f); return $z->getFromName('a'); })(),
    'math' => bcdiv('1', '3', 20) . ' ' . random_int(5, 5),
    'hash' => hash($rest[0], 'x') . ' ' . (password_verify('x', password_hash('x', PASSWORD_ARGON2ID)) ? 'ok' : 'no'),
    'openssl' => bin2hex(openssl_encrypt('x', $rest[0], str_repeat('k', 32), OPENSSL_RAW_DATA, str_repeat('i', openssl_cipher_iv_length($rest[0])))),
    'class' => (new ('App\\' . $rest[0]))->say(),
    'session' => (function () { session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; return (string) $_SESSION['n']; })(),
    'run' => (string) shell_exec('echo a | tr a b') . implode(' ', array_filter([exec('sort --version | head -n 1')])),
    'user' => posix_getpwnam($rest[0])['dir'],
    'service' => (string) getservbyname($rest[0], 'tcp'),
    'lookup' => gethostbyname($rest[0]) === $rest[0] ? 'unknown' : 'found',
    'extensions' => implode(' ', get_loaded_extensions()),
    'post' => json_encode(['post' => $_POST, 'files' => array_keys($_FILES)]),
    'fail' => throw new RuntimeException('on purpose'),
    'stream' => @file_get_contents("https://$rest[0]/") ?: 'not trusted',
    'curl' => (function () use ($rest) { $c = curl_init("https://$rest[0]/"); curl_setopt($c, CURLOPT_RETURNTRANSFER, true); $r = curl_exec($c); return $r === false ? 'error ' . curl_errno($c) : $r; })(),
    default => (function () { http_response_code(404); return 'missing'; })(),
};
