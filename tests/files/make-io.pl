#!/usr/bin/perl
# Makes the samples of JSONL and safetensors beside this file: cd tests/files && perl make-io.pl

use strict;
use warnings;

sub put {
    my ($name, $bytes) = @_;
    open my $out, '>:raw', $name or die "$name: $!\n";
    print $out $bytes;
    close $out or die "$name: $!\n";
}

sub gzip {
    my ($bytes) = @_;
    put('tmp', $bytes);
    my $z = `gzip -9 -n -c tmp`;
    unlink 'tmp';
    return $z;
}

sub safetensors {
    my ($name, $header, $data) = @_;
    $header .= ' ' x (-length($header) % 8);
    put($name, pack('Q<', length $header) . $header . $data);
}

my $header = '{"__metadata__":{"format":"pt"},'
    . '"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
    . '"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},'
    . '"empty":{"dtype":"I64","shape":[0],"data_offsets":[32,32]},'
    . '"s":{"dtype":"F16","shape":[],"data_offsets":[32,34]}}';
my $data = pack('f<6', 1 .. 6) . pack('S<5', 0x3f80, 0x4000, 0x4040, 0xbf80, 0x3c00);
safetensors('good-tensors.safetensors', $header, $data);
safetensors('bad-overlap.safetensors', $header =~ s/24,32/20,28/r, $data);
safetensors('bad-shape.safetensors', $header =~ s/2,3/4294967296,4294967296/r, $data);
safetensors('bad-truncated.safetensors', $header, substr $data, 0, 20);
put('bad-header-length.safetensors', pack('Q<', 1 << 60) . '{}');

my @lines = (
    '{"text":"one \u00e4 \ud83d\ude00 \ud800","id":1}', '',
    "{\"id\":2,\"text\":\"zwei \xe4\xbd\xa0\xe5\xa5\xbd\",\"more\":{\"a\":[1,-2.5e3,true,null]}}\r",
    '{"text":"","text":"twice"}', '{"text":"no newline"}',
);
put('good-docs.jsonl', "\xef\xbb\xbf" . join "\n", @lines);
put('good-docs.jsonl.gz', gzip(join("\n", @lines[0, 1]) . "\n") . gzip(join "\n", @lines[2 .. 4]));
put('bad-truncated.jsonl.gz', substr gzip(join "\n", @lines), 0, -9);
put('bad-utf8.jsonl', "{\"text\":\"a\xff\xc3(\"}\n{\"text\":3}\n[1]\n{\"other\":\"x\"}\n{\"text\":\"unfinished");
