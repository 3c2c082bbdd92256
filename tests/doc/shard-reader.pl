# A reader of shards written from shard(5) alone, to hold the page against the programs.
#
#     perl -I tests/doc tests/doc/shard-reader.pl [--ids] FILE...
#
# For each file a line: documents, tokens, largest id plus 1, segments, checksum; with --ids the
# documents instead, one a line. A file that is no good: "FILE: at byte N: why" and exit status 1.
use strict;
use warnings;
use Compress::Zlib qw(crc32 uncompress inflateInit Z_STREAM_END);
use XXH3 qw(xxh3_64);

my $show_ids = @ARGV && $ARGV[0] eq '--ids' ? shift : 0;
my ($name, $data, $at);

sub bad { die "$name: at byte $at: @_\n" }

# The next n bytes.
sub take {
    my ($n, $what) = @_;
    bad("ends within $what") if $at + $n > length $data;
    my $bytes = substr $data, $at, $n;
    $at += $n;
    return $bytes;
}

sub padded { return int(($_[0] + 63) / 64) * 64 }

sub zero {
    my ($bytes, $what) = @_;
    bad("$what is not zero") if $bytes =~ /[^\0]/;
}

sub header {
    my $start = $at;
    my $first = take(16, 'a header');
    bad('no magic') if substr($first, 0, 8) ne "\x89TOK\r\n\x1a\n";
    my ($version, $width, $len) = unpack 'x8 v v V', $first;
    bad("version $version") if $version != 1;
    bad("header length $len") if $len < 128 || $len > 1048576 || $len % 64;
    my $bytes = $first . take($len - 16, 'a header');
    bad('CRC of the header') if crc32(substr $bytes, 0, $len - 4) != unpack 'V', substr $bytes, -4;
    bad("width $width") if $width != 2 && $width != 4;
    my ($required, $optional, $vocab, $bos, $eos, $pad, $finger, $n, $null) =
        unpack 'x16 V V Q< q< q< q< a16 V V', $bytes;
    bad('required features') if $required & ~3;
    bad("vocabulary $vocab") if $vocab > ($width == 2 ? 65536 : 4294967295);
    for my $id ($bos, $eos, $pad) {
        bad("special id $id") if $id < -1 || $id >= ($vocab || 4294967295);
    }
    bad('zero') if $null;
    bad("provenance of $n bytes") if $n > $len - 84;
    my $lines = substr $bytes, 80, $n;
    bad('provenance') if length $lines && $lines !~ /\n\z/ || $lines =~ /\0/ || !utf8::decode($lines);
    zero(substr($bytes, 80 + $n, $len - 84 - $n), 'the rest of the header');
    return {width => $width, vocab => $vocab, weights => $required & 1, may_deflate => $required & 2,
        finger => $finger, start => $start};
}

sub inflate {
    my ($bytes, $raw) = @_;
    my ($z) = inflateInit(-Bufsize => $raw + 1);
    my ($out, $status) = $z->inflate($bytes);
    bad('deflated data') if $status != Z_STREAM_END || length $bytes || length $out != $raw;
    return $out;
}

# Block header and payload, unknown ones with a small first letter passed over.
sub block {
    my ($seg) = @_;
    while (1) {
        my $offset = $at;
        my $head = take(64, 'a block header');
        bad('CRC of the block header') if crc32(substr $head, 0, 60) != unpack 'V', substr $head, 60;
        my ($type, $codec, $flags, $null, $stored, $raw, $docs, $tokens, $t, $d, $zeros, $crc) =
            unpack 'a4 C C v V V V V Q< Q< a16 V', $head;
        my %b = (type => $type, codec => $codec, flags => $flags, docs => $docs,
            tokens => $tokens, tokens_before => $t, docs_before => $d, offset => $offset, raw => $raw);
        my $known = $type eq 'DOCS' || $type eq 'tokj' || $type eq 'ENDS';
        bad("type $type") if !$known && $type !~ /^[a-z]/;
        if ($known) {
            bad('zeros') if $null || $zeros ne "\0" x 16;
            bad("codec $codec") if $codec > ($type eq 'ENDS' ? 0 : 1);
            bad('lengths') if $codec == 0 && $stored != $raw;
            bad('counts') if $type ne 'DOCS' && ($flags || $docs || $tokens);
        }
        if ($type eq 'DOCS') {
            bad('length') if $raw > 4194304 || $stored > $raw;
            bad('no documents') if $docs < 1;
            bad('codec') if $codec && !$seg->{may_deflate};
            bad('flags') if $flags & ~3;
            bad('raw length') if $raw != padded(4 * $docs) + padded($seg->{width} * $tokens)
                + ($seg->{weights} ? padded($tokens) : 0);
        } elsif ($type ne 'ENDS') {
            bad('length') if $stored > 268435456 || $type eq 'tokj' && $raw > 268435456;
        }
        my $payload = take(padded($stored), 'a payload');
        bad('CRC of the payload') if crc32($payload) != $crc;
        bad('place of the tokenizer') if $type eq 'tokj' && $seg->{blocks_seen}++;
        $seg->{blocks_seen}++;
        next if $type ne 'DOCS' && $type ne 'ENDS';
        $payload = substr $payload, 0, $stored;
        $b{payload} = $codec ? inflate($payload, $raw) : $payload;
        return \%b;
    }
}

# Documents of a block to the ends of @$docs; the last one may still be open.
sub documents {
    my ($seg, $b, $docs) = @_;
    my ($n, $width) = ($b->{docs}, $seg->{width});
    my $lens = substr $b->{payload}, 0, padded(4 * $n), '';
    my $ids = substr $b->{payload}, 0, padded($width * $b->{tokens}), '';
    my @len = unpack "V$n", $lens;
    zero(substr($lens, 4 * $n), 'padding');
    zero(substr($ids, $width * $b->{tokens}), 'padding');
    zero(substr($b->{payload}, $b->{tokens}), 'padding') if $seg->{weights};
    my $sum = 0;
    $sum += $_ for @len;
    bad('sum of the lengths') if $sum != $b->{tokens};
    my @id = unpack(($width == 2 ? 'v' : 'V') . $sum, $ids);
    for my $i (0 .. $#len) {
        my @doc = splice @id, 0, $len[$i];
        for my $id (@doc) {
            bad("id $id") if $id >= $seg->{limit};
            $seg->{bound} = $id + 1 if $id >= $seg->{bound};
        }
        if ($i == 0 && $b->{flags} & 1) {
            push @{$docs->[-1]}, @doc;
        } else {
            push @$docs, \@doc;
        }
    }
}

sub segment {
    my ($first) = @_;
    my $seg = header();
    if ($first) {
        bad('another tokenizer')
            if $seg->{finger} ne $first->{finger} && $seg->{finger} ne "\0" x 16;
        bad('weights behind none') if $seg->{weights} && !$first->{weights};
    }
    $seg->{limit} = $seg->{vocab} || 4294967295;
    $seg->{limit} = $first->{vocab} if $first && $first->{vocab} && $first->{vocab} < $seg->{limit};
    $seg->{bound} = 0;
    my (@docs, $open, $index, $tokens, $blocks);
    ($open, $index, $tokens, $blocks) = (0, '', 0, 0);
    while (1) {
        my $b = block($seg);
        my $ended = @docs - $open;
        bad('running numbers') if $b->{tokens_before} != $tokens || $b->{docs_before} != $ended;
        if ($b->{type} eq 'ENDS') {
            bad('an open document') if $open;
            bad('length of the index') if $b->{raw} != padded(24 * $blocks) + 64;
            bad('index') if substr($b->{payload}, 0, length $index) ne $index;
            my $foot = substr $b->{payload}, -64;
            my ($len, $offset, $n_docs, $n_tokens, $sum, $bound, $n, $crc, $magic) =
                unpack 'Q< Q< Q< Q< a8 Q< V V a8', $foot;
            bad('end magic') if $magic ne "\x0a\x1a\x0a\x0dKOT\x89";
            bad('CRC of the footer') if $crc != crc32(substr $foot, 0, 52);
            my $seq = join '', map { pack('V*', @$_) . "\xff" x 4 } @docs;
            bad('footer') if $len != $at - $seg->{start} || $offset != $b->{offset} - $seg->{start}
                || $n_docs != @docs || $n_tokens != $tokens || $bound != $seg->{bound}
                || $n != $blocks;
            $seg->{sum} = xxh3_64($seq);
            bad('checksum') if unpack('H16', reverse $sum) ne $seg->{sum};
            $seg->{tokens} = $tokens;
            $seg->{docs} = \@docs;
            return $seg;
        }
        bad('continuation') if $open != ($b->{flags} & 1);
        $index .= pack 'Q<3', $b->{offset} - $seg->{start}, $tokens, $ended;
        documents($seg, $b, \@docs);
        $open = $b->{flags} >> 1 & 1;
        $tokens += $b->{tokens};
        $blocks++;
    }
}

my $n_bad = 0;
for my $file (@ARGV) {
    eval {
        ($name, $at) = ($file, 0);
        open my $in, '<:raw', $file or die "$file: $!\n";
        local $/;
        $data = <$in>;
        $data = '' if !defined $data;
        my ($first, $sum, @segments);
        my ($docs, $tokens, $bound) = (0, 0, 0);
        do {
            my $seg = segment($first);
            $first ||= $seg;
            push @segments, $seg;
            $docs += @{$seg->{docs}};
            $tokens += $seg->{tokens};
            $bound = $seg->{bound} if $seg->{bound} > $bound;
            if (@{$seg->{docs}}) {
                $sum = defined $sum
                    ? xxh3_64(pack 'a8 a8', map { scalar reverse pack 'H16', $_ } $sum, $seg->{sum})
                    : $seg->{sum};
            }
        } while ($at < length $data);
        $sum = xxh3_64('') if !defined $sum;
        if ($show_ids) {
            print join(' ', @$_), "\n" for map { @{$_->{docs}} } @segments;
        } else {
            print join(' ', $docs, $tokens, $bound, scalar @segments, $sum), "\n";
        }
        1;
    } or do {
        print STDERR $@;
        $n_bad++;
    };
}
exit($n_bad ? 1 : 0);
