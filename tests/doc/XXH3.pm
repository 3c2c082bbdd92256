# XXH3 with seed 0 and the built-in secret, in plain Perl: for tests that must not use the
# project's own code: 64 bits for lengths that are multiples of 4, 128 bits for those over 240, which is
# all that shard(5) hashes.
# After the algorithm's description (Collet, "XXH3"), checked against the library by shard-reader.t.
package XXH3;
use strict;
use warnings;
no warnings 'portable'; # 64-bit constants
use Exporter 'import';
our @EXPORT_OK = qw(xxh3_64 xxh3_128);

my ($P32_1, $P32_2, $P32_3) = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D);
my ($P1, $P2, $P3, $P4, $P5) = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5);
my ($MX1, $MX2) = (0x165667919E3779F9, 0x9FB21C651E98DF25);
my $SECRET = pack 'H*', join '', qw(
    b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f
    cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c
    3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8
    a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364
    eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e
    2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e);

sub add { use integer; return $_[0] + $_[1]; }
sub mul { use integer; return $_[0] * $_[1]; }
sub le64 { return unpack 'Q<', substr($_[0], $_[1], 8); }
sub le32 { return unpack 'L<', substr($_[0], $_[1], 4); }
sub sec { return le64($SECRET, $_[0]); }
sub rotl { return ($_[0] << $_[1]) | ($_[0] >> (64 - $_[1])); }

# The two halves of the 128-bit product, one xor the other.
sub fold {
    my ($x, $y) = @_;
    my ($xl, $xh, $yl, $yh) = ($x & 0xffffffff, $x >> 32, $y & 0xffffffff, $y >> 32);
    my ($ll, $hl, $lh, $hh) = (mul($xl, $yl), mul($xh, $yl), mul($xl, $yh), mul($xh, $yh));
    my $cross = add(add($ll >> 32, $hl & 0xffffffff), $lh);
    my $high = add(add($hl >> 32, $cross >> 32), $hh);
    return $high ^ (($cross << 32) | ($ll & 0xffffffff));
}

sub avalanche {
    my $h = shift;
    $h ^= $h >> 37;
    $h = mul($h, $MX1);
    return $h ^ ($h >> 32);
}

sub mix16 {
    my ($in, $at, $sec) = @_;
    return fold(le64($in, $at) ^ sec($sec), le64($in, $at + 8) ^ sec($sec + 8));
}

sub short_hash {
    my ($in, $n) = @_;
    if ($n == 0) {
        my $h = sec(56) ^ sec(64);
        $h = mul($h ^ ($h >> 33), $P2);
        $h = mul($h ^ ($h >> 29), $P3);
        return $h ^ ($h >> 32);
    }
    if ($n <= 8) {
        my $h = add(le32($in, $n - 4), le32($in, 0) << 32) ^ (sec(8) ^ sec(16));
        $h ^= rotl($h, 49) ^ rotl($h, 24);
        $h = mul($h, $MX2);
        $h ^= add($h >> 35, $n);
        $h = mul($h, $MX2);
        return $h ^ ($h >> 28);
    }
    my $lo = le64($in, 0) ^ (sec(24) ^ sec(32));
    my $hi = le64($in, $n - 8) ^ (sec(40) ^ sec(48));
    my $swapped = unpack 'Q>', pack 'Q<', $lo;
    return avalanche(add(add(add($n, $swapped), $hi), fold($lo, $hi)));
}

sub middle_hash {
    my ($in, $n) = @_;
    my $acc = mul($n, $P1);
    if ($n <= 128) {
        for my $i (reverse 0 .. int(($n - 1) / 32)) {
            $acc = add($acc, mix16($in, 16 * $i, 32 * $i));
            $acc = add($acc, mix16($in, $n - 16 * ($i + 1), 32 * $i + 16));
        }
        return avalanche($acc);
    }
    $acc = add($acc, mix16($in, 16 * $_, 16 * $_)) for 0 .. 7;
    $acc = avalanche($acc);
    $acc = add($acc, mix16($in, 16 * $_, 16 * ($_ - 8) + 3)) for 8 .. int($n / 16) - 1;
    return avalanche(add($acc, mix16($in, $n - 16, 136 - 17)));
}

sub stripe {
    my ($acc, $in, $at, $sec) = @_;
    my @v = unpack 'Q<8', substr($in, $at, 64);
    my @k = unpack 'Q<8', substr($SECRET, $sec, 64);
    for my $i (0 .. 7) {
        my $dk = $v[$i] ^ $k[$i];
        $acc->[$i ^ 1] = add($acc->[$i ^ 1], $v[$i]);
        $acc->[$i] = add($acc->[$i], mul($dk & 0xffffffff, $dk >> 32));
    }
}

# The eight accumulators over inputs of more than 240 bytes.
sub long_acc {
    my ($in, $n) = @_;
    my @acc = ($P32_3, $P1, $P2, $P3, $P4, $P32_2, $P5, $P32_1);
    my $blocks = int(($n - 1) / 1024);
    for my $b (0 .. $blocks - 1) {
        stripe(\@acc, $in, 1024 * $b + 64 * $_, 8 * $_) for 0 .. 15;
        for my $i (0 .. 7) {
            $acc[$i] = mul($acc[$i] ^ ($acc[$i] >> 47) ^ sec(128 + 8 * $i), $P32_1);
        }
    }
    my $stripes = int(($n - 1 - 1024 * $blocks) / 64);
    stripe(\@acc, $in, 1024 * $blocks + 64 * $_, 8 * $_) for 0 .. $stripes - 1;
    stripe(\@acc, $in, $n - 64, 192 - 64 - 7);
    return \@acc;
}

sub merge {
    my ($acc, $sec, $h) = @_;
    for my $i (0 .. 3) {
        my $at = $sec + 16 * $i;
        $h = add($h, fold($acc->[2 * $i] ^ sec($at), $acc->[2 * $i + 1] ^ sec($at + 8)));
    }
    return avalanche($h);
}

sub long_hash {
    my ($in, $n) = @_;
    return merge(long_acc($in, $n), 11, mul($n, $P1));
}

# 32 hexadecimal digits, the high half first.
sub xxh3_128 {
    my $in = shift;
    my $n = length $in;
    die "xxh3_128 is for more than 240 bytes\n" if $n <= 240;
    my $acc = long_acc($in, $n);
    my $low = merge($acc, 11, mul($n, $P1));
    my $high = merge($acc, 192 - 64 - 11, ~mul($n, $P2));
    return unpack 'H32', pack 'Q> Q>', $high, $low;
}

# The hash as 16 hexadecimal digits.
sub xxh3_64 {
    my $in = shift;
    my $n = length $in;
    my $h = $n <= 16 ? short_hash($in, $n) : $n <= 240 ? middle_hash($in, $n) : long_hash($in, $n);
    return unpack 'H16', pack 'Q>', $h;
}

1;
