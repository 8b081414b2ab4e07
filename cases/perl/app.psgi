use strict;
use warnings;
use utf8;
use Encode ();
use Plack::Builder;
use Plack::Request;

sub text { my ($body, $status) = @_; [$status // 200, ['Content-Type' => 'text/plain; charset=utf-8'], [Encode::encode_utf8($body)]] }

my %pages = (
    '' => sub { text('<a href="/formats">formats</a>') },
    formats => sub { require Report; text(join ' ', sort(Report->new->formats)) },
    format => sub { require Report; my ($name) = @_; my ($f) = grep { /::\Q$name\E$/ } Report->new->formats; text($f->run(1, 2)) },
    encode => sub { text(unpack 'H*', Encode::encode($_[0], 'grüße 日本')) },
    guess => sub { require Encode::Guess; text(ref Encode::Guess::guess_encoding(pack('H*', $_[0]), qw/euc-jp shiftjis 7bit-jis/)) },
    unicode => sub { require Unicode::Normalize; require charnames; text(length(Unicode::Normalize::NFD('Å')) . charnames::viacode(ord '€') . ("日" =~ /\p{Script=Han}/ ? 'han' : '') . lc('ŒUVRE') . ("Ⅷ" =~ /\p{Numeric_Value=8}/ ? 8 : '')) },
    collate => sub { require Unicode::Collate; text(join '', Unicode::Collate->new->sort(qw/z ä a/)) },
    zone => sub { require DateTime; my $d = DateTime->from_epoch(epoch => 1700000000, time_zone => join('/', @_)); text($d->strftime('%F %T %Z')) },
    locale => sub { require DateTime; text(DateTime->from_epoch(epoch => 1700000000, locale => $_[0])->strftime('%A %B')) },
    json => sub { require JSON::XS; text(JSON::XS->new->canonical->encode({ b => [1, undef], a => 'ü' })) },
    sql => sub { require DBI; my $h = DBI->connect('dbi:SQLite:dbname=:memory:', '', '', { RaiseError => 1 }); text($h->selectrow_array("select upper('x')")) },
    xml => sub { require XML::LibXML; text(XML::LibXML->load_xml(string => '<a><b>x</b></a>')->findvalue('//b')) },
    page => sub { require Template; my $out; my $t = Template->new(INCLUDE_PATH => 'templates'); $t->process('page.tt', { name => $_[0] }, \$out) or $out = $t->error; text($out) },
    digest => sub { require Digest; text(Digest->new($_[0])->add('x')->hexdigest) },
    pack => sub { require IO::Compress::Bzip2; my $in = 'x' x 100; IO::Compress::Bzip2::bzip2(\$in, \my $out); text(length $out) },
    big => sub { require Math::BigInt; text(Math::BigInt->new(2)->bpow(100)) },
    posix => sub { require POSIX; text(POSIX::strftime('%j', gmtime 1700000000) . ' ' . POSIX::floor(2.5) . ' ' . POSIX::strerror(2)) },
    user => sub { text((getpwnam $_[0])[7]) },
    service => sub { text((getservbyname $_[0], 'tcp')[2]) },
    storable => sub { require Storable; text(Storable::dclone({ a => [1] })->{a}[0]) },
    load => sub { my $m = join '/', @_; require "$m.pm"; text("loaded") },
    run => sub { open my $p, '-|', 'sort', '-r', 'templates/page.tt', 'templates/foot.tt' or die; text(scalar(() = <$p>)) },
    fail => sub { die "on purpose\n" },
    fetch => sub {
        require LWP::UserAgent;
        my $answer = LWP::UserAgent->new(timeout => 5)->get("https://$_[0]/");
        text($answer->decoded_content =~ /verify failed/ ? 'not trusted' : $answer->decoded_content, $answer->is_success ? 200 : 502);
    },
);

builder {
    enable 'ContentLength';
    enable 'Static', path => qr{^/static/}, root => '.';
    sub {
        my ($name, @rest) = split m{/}, substr(Plack::Request->new(shift)->path, 1);
        my $page = $pages{ $name // '' } or return text('missing', 404);
        $page->(@rest);
    };
};
