# Writes the samples of token shards into the directory that it stands in, by shard(5) alone:
#
#     perl -I tests/doc tests/files/make-tok.pl
#
# Equal bytes every time. Every bad sample has right CRCs unless its name says otherwise, so that a
# reader meets the fault itself.
use strict;
use warnings;
use Compress::Zlib qw(crc32 compress);
use File::Basename qw(dirname);
use XXH3 qw(xxh3_64);

my $here = dirname(__FILE__);

sub put {
    my ($name, $bytes) = @_;
    open my $out, '>:raw', "$here/$name.tok" or die "$name: $!\n";
    print $out $bytes;
    close $out or die "$name: $!\n";
}

sub pad { return $_[0] . "\0" x (-length($_[0]) % 64) }

sub header {
    my %o = (width => 2, vocab => 300, eos => -1, required => 0, optional => 0, version => 1,
        finger => "\0" x 16, provenance => "make-tok 1\n", magic => "\x89TOK\r\n\x1a\n", null => 0, @_);
    my $len = defined $o{len} ? $o{len} : 128;
    my $n = defined $o{n_provenance} ? $o{n_provenance} : length $o{provenance};
    my $h = pack 'a8 v v V V V Q< q< q< q< a16 V V a*', $o{magic}, $o{version}, $o{width}, $len,
        $o{required}, $o{optional}, $o{vocab}, -1, $o{eos}, -1, $o{finger}, $n, $o{null},
        $o{provenance};
    $h .= "\0" x (128 - 4 - length $h);
    return $h . pack 'V', crc32($h) ^ ($o{bad_crc} ? 1 : 0);
}

# type, payload; the other fields by name
sub block {
    my ($type, $payload, %o) = @_;
    my $padded = pad($payload);
    my $n = defined $o{stored} ? $o{stored} : length $payload;
    my $h = pack 'a4 C C v V V V V Q< Q< a16 V', $type, $o{codec} || 0, $o{flags} || 0, $o{null} || 0,
        $n, defined $o{raw} ? $o{raw} : length $payload, $o{docs} || 0, $o{tokens} || 0,
        $o{tokens_before} || 0, $o{docs_before} || 0, '', crc32($padded) ^ ($o{bad_payload} ? 1 : 0);
    return $h . pack('V', crc32($h) ^ ($o{bad_crc} ? 1 : 0)) . $padded;
}

# A segment. pieces: a list of blocks, each {docs => [[ids]...], flags => N, and what block() takes}.
# h: header(); e: changes to the end block; before: bytes between header and blocks.
sub segment {
    my %o = (h => {}, e => {}, before => '', pieces => [], @_);
    my %h = (width => 2, required => 0, %{$o{h}});
    my $out = header(%{$o{h}}) . $o{before};
    my ($index, $tokens, $ended, $bound, $seq) = ('', 0, 0, 0, '');
    for my $b (@{$o{pieces}}) {
        my @docs = @{$b->{docs}};
        my @ids = map { @$_ } @docs;
        my $payload = pad(pack 'V*', @{$b->{lens} || [map { scalar @$_ } @docs]});
        $payload .= pad(pack(($h{width} == 2 ? 'v' : 'V') . '*', @ids));
        $payload .= pad(pack 'C*', map { $_ % 256 } @ids) if $h{required} & 1;
        $payload = $b->{change}->($payload) if $b->{change};
        my %more = map { exists $b->{$_} ? ($_ => $b->{$_}) : () }
            qw(flags stored raw codec bad_crc bad_payload null);
        if ($b->{deflate}) {
            $more{raw} = length $payload if !defined $more{raw};
            $more{codec} = 1;
            $payload = $b->{deflate}->(compress($payload));
        }
        $index .= pack 'Q<3', length $out, $tokens, $ended;
        $out .= block('DOCS', $payload, docs => scalar @docs, tokens => scalar @ids,
            tokens_before => $tokens + ($b->{skew} || 0), docs_before => $ended, %more);
        my $flags = $b->{flags} || 0;
        $ended += @docs - ($flags & 2 ? 1 : 0);
        for my $i (0 .. $#docs) {
            $seq .= pack 'V*', @{$docs[$i]};
            $seq .= "\xff" x 4 if $i < $#docs || !($flags & 2);
        }
        $_ >= $bound and $bound = $_ + 1 for @ids;
        $tokens += @ids;
        $out .= $b->{behind} || '';
    }
    my %e = (%{$o{e}});
    return $out if $e{none};
    my $n = @{$o{pieces}};
    my $end = length $out;
    my $sum = reverse pack 'H16', xxh3_64($seq);
    $index = $e{index}->($index) if $e{index};
    $index = pad($index);
    my $foot = pack 'Q< Q< Q< Q< a8 Q< V', $end + 64 + length($index) + 64 + ($e{length} || 0),
        $end + ($e{offset} || 0), $ended + ($e{docs} || 0), $tokens + ($e{tokens} || 0),
        $e{sum} ? "\1" x 8 : $sum, $bound + ($e{bound} || 0), $n + ($e{n} || 0);
    $foot .= pack 'V', crc32($foot) ^ ($e{bad_footer} ? 1 : 0);
    $foot .= $e{magic} || "\x0a\x1a\x0a\x0dKOT\x89";
    return $out . block('ENDS', $index . $foot, tokens_before => $tokens + ($e{running} || 0),
        docs_before => $ended, map { exists $e{$_} ? ($_ => $e{$_}) : () } qw(bad_crc bad_payload));
}

my @docs = ([1, 2, 3], [], [299, 0]);
my $one = {docs => \@docs};
sub plain { return segment(pieces => [{%$one, @_}]) }

# ---- good

put('good-plain', plain());
put('good-no-docs', segment());
put('good-empty-docs', segment(pieces => [{docs => [[], []]}]));
put('good-wide', segment(h => {width => 4, vocab => 4294967295, eos => 7},
    pieces => [{docs => [[4294967294, 65536], [0]]}]));
put('good-vocab-unknown', segment(h => {vocab => 0}, pieces => [{docs => [[65535]]}]));
put('good-vocab-full', segment(h => {vocab => 65536, eos => 65535}, pieces => [{docs => [[65535]]}]));
put('good-weights', segment(h => {required => 1}, pieces => [$one]));
put('good-deflate', segment(h => {required => 2},
    pieces => [{docs => [[(5) x 200]], deflate => sub { $_[0] }}, $one]));
put('good-continued', segment(pieces => [{docs => [[1], [2]], flags => 2}, {docs => [[3]], flags => 3},
    {docs => [[]], flags => 3}, {docs => [[4], [5]], flags => 1}]));
put('good-optional', segment(h => {optional => 0x80000001}, before => block('note', 'skip me'),
    pieces => [{%$one, behind => block('xtra', '')}]));
put('good-tokenizer', segment(h => {finger => "\1" x 16}, before => block('tokj', '{"version":"1.0"}'),
    pieces => [$one]));
put('good-tokenizer-deflated', segment(h => {finger => "\1" x 16},
    before => block('tokj', compress('{"version":"1.0"}'), codec => 1, raw => 17), pieces => [$one]));
put('good-provenance', segment(h => {provenance => ''}, pieces => [$one]));
put('good-segments', plain() . segment(h => {width => 4, vocab => 0}, pieces => [{docs => [[299]]}])
    . segment() . plain());
put('good-segments-zero', segment(h => {finger => "\2" x 16}, pieces => [$one]) . plain());

# ---- bad

my $good = plain();
put('bad-nothing', '');
put('bad-one-byte', "\x89");
put('bad-cut-magic', substr $good, 0, 12);
put('bad-cut-header', substr $good, 0, 100);
put('bad-cut-behind-header', substr $good, 0, 128);
put('bad-cut-block-header', substr $good, 0, 150);
put('bad-cut-payload', substr $good, 0, 200);
put('bad-cut-before-end', segment(pieces => [$one], e => {none => 1}));
put('bad-cut-footer', substr $good, 0, -8);
put('bad-cut-second', $good . substr $good, 0, 256);
put('bad-foreign', 'x' x 200);
put('bad-gzip', pack('H*', '1f8b0800000000000003') . $good);
(my $texted = $good) =~ s/\r\n/\n/;
put('bad-text-mode', $texted);
put('bad-garbage-behind', $good . "\0");
put('bad-garbage-behind-long', $good . 'x' x 64);
put('bad-version', segment(h => {version => 2}));
put('bad-header-length', segment(h => {len => 100}));
put('bad-header-length-zero', segment(h => {len => 0}));
put('bad-header-length-huge', segment(h => {len => 0xffffffc0}));
put('bad-header-crc', segment(h => {bad_crc => 1}));
put('bad-feature', segment(h => {required => 4}));
put('bad-width', segment(h => {width => 3}));
put('bad-vocab', segment(h => {vocab => 65537}));
put('bad-vocab-huge', segment(h => {width => 4, vocab => 1 << 32}));
put('bad-special', segment(h => {eos => 300}));
put('bad-special-negative', segment(h => {eos => -2}));
put('bad-provenance-length', segment(h => {n_provenance => 45}));
put('bad-provenance-line', segment(h => {provenance => 'no newline'}));
put('bad-provenance-bytes', segment(h => {provenance => "\xff\n"}));
put('bad-header-zero', segment(h => {null => 1}));
put('bad-header-rest', segment(h => {provenance => "a\nb", n_provenance => 2}));
put('bad-block-crc', plain(bad_crc => 1));
put('bad-payload-crc', plain(bad_payload => 1));
put('bad-block-zero', plain(null => 1));
put('bad-type', segment(before => block('NOTE', 'needed')));
put('bad-optional-crc', segment(before => block('note', 'x', bad_payload => 1)));
put('bad-optional-huge', segment(before => block('note', 'x', stored => 0xffffffff)));
put('bad-codec', plain(codec => 2));
put('bad-codec-unannounced', plain(deflate => sub { $_[0] }));
put('bad-raw-huge', plain(raw => 0x7fffffc0, stored => 0x7fffffc0));
put('bad-raw-differs', plain(raw => 192));
put('bad-stored-over-raw', segment(h => {required => 2},
    pieces => [{%$one, raw => 128, deflate => sub { $_[0] . 'x' x 200 }}]));
put('bad-flags', plain(flags => 4));
put('bad-no-docs', segment(pieces => [{docs => []}]));
put('bad-lengths', plain(lens => [1, 1, 1]));
put('bad-lengths-overflow', plain(lens => [0xffffffff, 0xffffffff, 7]));
put('bad-id', segment(pieces => [{docs => [[300]]}]));
put('bad-id-wide', segment(h => {width => 4, vocab => 0}, pieces => [{docs => [[4294967295]]}]));
put('bad-padding-lengths', plain(change => sub { substr($_[0], 63, 1) = "\1"; $_[0] }));
put('bad-padding-ids', plain(change => sub { substr($_[0], 127, 1) = "\1"; $_[0] }));
put('bad-running', plain(skew => 1));
put('bad-order', segment(pieces => [{%$one, skew => 5}, {%$one, skew => -5}]));
put('bad-open-document', plain(flags => 2));
put('bad-continues-nothing', plain(flags => 1));
put('bad-not-continued', segment(pieces => [{%$one, flags => 2}, $one]));
my $long = [(5) x 200];
put('bad-deflate-data', segment(h => {required => 2},
    pieces => [{docs => [$long], deflate => sub { substr($_[0], 5, 3) = 'xxx'; $_[0] }}]));
put('bad-deflate-cut', segment(h => {required => 2},
    pieces => [{docs => [$long], deflate => sub { substr $_[0], 0, -4 }}]));
put('bad-deflate-behind', segment(h => {required => 2},
    pieces => [{docs => [$long], deflate => sub { $_[0] . 'x' }}]));
put('bad-deflate-long', segment(h => {required => 2},
    pieces => [{docs => [$long], change => sub { $_[0] . "\0" x 1000000 }, raw => 512,
        deflate => sub { substr $_[0], 0, 512 }}]));
put('bad-deflate-short', segment(h => {required => 2},
    pieces => [{docs => [$long], change => sub { substr $_[0], 0, 448 }, raw => 512,
        deflate => sub { $_[0] }}]));
put('bad-tokenizer-late', segment(pieces => [{%$one, behind => block('tokj', '{}')}, $one]));
put('bad-tokenizer-twice', segment(before => block('tokj', '{}') x 2));
put('bad-tokenizer-huge', segment(before => block('tokj', '{}', codec => 1, raw => 0x10000001)));
put('bad-tokenizer-crc', segment(before => block('tokj', '{}', bad_payload => 1)));
put('bad-end-crc', segment(pieces => [$one], e => {bad_crc => 1}));
put('bad-end-payload-crc', segment(pieces => [$one], e => {bad_payload => 1}));
put('bad-end-footer-crc', segment(pieces => [$one], e => {bad_footer => 1}));
put('bad-end-magic', segment(pieces => [$one], e => {magic => 'xxxxxxxx'}));
put('bad-end-docs', segment(pieces => [$one], e => {docs => 1}));
put('bad-end-tokens', segment(pieces => [$one], e => {tokens => -1}));
put('bad-end-running', segment(pieces => [$one], e => {running => 1}));
put('bad-end-checksum', segment(pieces => [$one], e => {sum => 1}));
put('bad-end-bound', segment(pieces => [$one], e => {bound => 1}));
put('bad-end-length', segment(pieces => [$one], e => {length => 64}));
put('bad-end-offset', segment(pieces => [$one], e => {offset => 64}));
put('bad-end-index', segment(pieces => [$one], e => {index => sub { substr($_[0], 0, 1) ^= "\1"; $_[0] }}));
put('bad-end-index-short', segment(pieces => [$one], e => {index => sub { '' }}));
put('bad-end-index-count', segment(pieces => [$one], e => {n => 1}));
put('bad-second-tokenizer', segment(h => {finger => "\1" x 16}) . segment(h => {finger => "\2" x 16}));
put('bad-second-has-tokenizer', plain() . segment(h => {finger => "\1" x 16}));
put('bad-second-weights', plain() . segment(h => {required => 1}, pieces => [$one]));
put('bad-second-id', plain() . segment(h => {vocab => 1000}, pieces => [{docs => [[300]]}]));
