# The fingerprint of a tokenizer.json by shard(5) alone, in plain Perl:
#
#     perl -I tests/doc tests/doc/fingerprint.pl tok.json
use strict;
use warnings;
use Encode qw(encode_utf8);
use XXH3 qw(xxh3_128);

# ---- JSON: [type, value]; an object's value is a list of [key, value], a number's its spelling

my $text;

sub fail { die 'at byte ', pos($text) || 0, ": $_[0]\n" }

sub string {
    $text =~ /\G"((?:[^"\\]++|\\.)*+)"/gcs or fail('a string is expected');
    my $s = $1;
    return $s if index($s, '\\') < 0;
    my %plain = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");
    $s =~ s{\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)|\\u(....)|\\(.)}{
        defined $1 ? encode_utf8(chr(0x10000 + ((hex($1) & 0x3ff) << 10) + (hex($2) & 0x3ff)))
        : defined $3 ? encode_utf8(chr(hex($3) >= 0xd800 && hex($3) < 0xe000 ? 0xfffd : hex $3))
        : exists $plain{$4} ? $plain{$4} : $4}gse;
    return $s;
}

sub value {
    $text =~ /\G\s+/gc;
    if ($text =~ /\G\{/gc) {
        my (%at, @pairs);
        while (1) {
            $text =~ /\G[\s,]+/gc;
            last if $text =~ /\G\}/gc;
            my $key = string();
            $text =~ /\G\s*:/gc or fail('a colon is expected');
            my $v = value();
            # of equal keys the last counts
            if (exists $at{$key}) {
                $pairs[$at{$key}][1] = $v;
            } else {
                $at{$key} = @pairs;
                push @pairs, [$key, $v];
            }
        }
        return ['o', \@pairs, \%at];
    }
    if ($text =~ /\G\[/gc) {
        my @list;
        while (1) {
            $text =~ /\G[\s,]+/gc;
            last if $text =~ /\G\]/gc;
            push @list, value();
        }
        return ['a', \@list];
    }
    return ['n', $1] if $text =~ /\G(-?[0-9][-+.0-9eE]*)/gc;
    return ['l', $1] if $text =~ /\G(true|false|null)/gc;
    return ['s', string()];
}

sub get {
    my ($o, $key) = @_;
    my $v = $o && $o->[0] eq 'o' && exists $o->[2]{$key} ? $o->[1][$o->[2]{$key}][1] : undef;
    return $v && $v->[1] eq 'null' && $v->[0] eq 'l' ? undef : $v;
}

sub is_true { my $v = get(@_); return $v && $v->[1] eq 'true' ? 1 : 0 }

sub quote {
    my $s = shift;
    $s =~ s/(["\\])/\\$1/g;
    $s =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return "\"$s\"";
}

sub canonical {
    my $v = shift;
    return 'null' if !$v;
    return '{' . join(',', map { quote($_->[0]) . ':' . canonical($_->[1]) }
            sort { $a->[0] cmp $b->[0] } @{$v->[1]}) . '}' if $v->[0] eq 'o';
    return '[' . join(',', map { canonical($_) } @{$v->[1]}) . ']' if $v->[0] eq 'a';
    return $v->[0] eq 's' ? quote($v->[1]) : $v->[1];
}

# ---- the records

sub str { return pack('V', length $_[0]) . $_[0] }
sub record { return pack('a4 Q<', $_[0], length $_[1]) . $_[1] }

my $file = shift;
open my $in, '<:raw', $file or die "$file: $!\n";
{ local $/; $text = <$in>; }
my $doc = value();
my $model = get($doc, 'model');
my $type = get($model, 'type');
$type = $type ? $type->[1]
    : get($model, 'merges') ? 'BPE'
    : get($model, 'max_input_chars_per_word') ? 'WordPiece'
    : get($model, 'vocab')->[0] eq 'a' ? 'Unigram' : 'WordLevel';

my (@vocab, $scores);
$scores = '';
if ($type eq 'Unigram') {
    for my $e (@{get($model, 'vocab')->[1]}) {
        push @vocab, [scalar @vocab, $e->[1][0][1]];
        $scores .= pack 'd<', $e->[1][1][1];
    }
} else {
    @vocab = map { [$_->[1][1], $_->[0]] } @{get($model, 'vocab')->[1]};
}
my %id = map { $_->[1] => $_->[0] } @vocab;
my $voca = join '', map { pack('V', $_->[0]) . str($_->[1]) }
    sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } @vocab;

my $merg = '';
if ($type eq 'BPE') {
    for my $m (@{get($model, 'merges')->[1]}) {
        my @part = $m->[0] eq 'a' ? map { $_->[1] } @{$m->[1]} : split / /, $m->[1], 2;
        $merg .= pack 'V V', map { exists $id{$_} ? $id{$_} : die "no token $_\n" } @part;
    }
}

my $unk = -1;
if ($type eq 'Unigram') {
    my $u = get($model, 'unk_id');
    $unk = $u->[1] if $u;
} elsif (my $u = get($model, 'unk_token')) {
    $unk = $id{$u->[1]} if exists $id{$u->[1]};
}
my ($prefix, $suffix, $max) = ('', '', 0);
if ($type eq 'BPE') {
    my ($p, $s) = (get($model, 'continuing_subword_prefix'), get($model, 'end_of_word_suffix'));
    ($prefix, $suffix) = ($p ? $p->[1] : '', $s ? $s->[1] : '');
} elsif ($type eq 'WordPiece') {
    my ($p, $m) = (get($model, 'continuing_subword_prefix'), get($model, 'max_input_chars_per_word'));
    ($prefix, $max) = ($p ? $p->[1] : '##', $m ? $m->[1] : 100);
}
my $sett = pack('q< V V Q<', $unk, is_true($model, 'byte_fallback') | is_true($model, 'fuse_unk') << 1
        | is_true($model, 'ignore_merges') << 2, 0, $max) . str($prefix) . str($suffix);

my $added = get($doc, 'added_tokens');
my (%added, @addt);
my $next = @vocab;
for my $t ($added ? @{$added->[1]} : ()) {
    my $content = get($t, 'content')->[1];
    next if $content eq '' || exists $added{$content};
    my $i = exists $id{$content} ? $id{$content} : $next;
    $next = $i + 1 if $i >= $next;
    $added{$content} = $i;
    my $special = is_true($t, 'special');
    my $normalized = get($t, 'normalized') ? is_true($t, 'normalized') : !$special;
    push @addt, [$i, pack('V V', $i, $special | is_true($t, 'lstrip') << 1
            | is_true($t, 'rstrip') << 2 | $normalized << 3 | is_true($t, 'single_word') << 4)
        . str($content)];
}
my $addt = join '', map { $_->[1] } sort { $a->[0] <=> $b->[0] } @addt;

print xxh3_128(join '', record('vers', pack 'V', 1), record('modl', $type), record('voca', $voca),
        record('merg', $merg), record('scor', $scores), record('sett', $sett),
        record('norm', canonical(get($doc, 'normalizer'))),
        record('spli', canonical(get($doc, 'pre_tokenizer'))),
        record('deco', canonical(get($doc, 'decoder'))), record('addt', $addt)), "\n";
