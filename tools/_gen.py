import subprocess,sys
sys.path.insert(0,'tools')
import fit_polynomials as F, struct
doc={
"EXP":"(exp(r) - 1 - r) / r**2 in powers of r, |r| <= ln(2)/2.",
"LOG":"(2 atanh(s) - 2 s) / (s z) in powers of z = s**2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1).",
"SIN":"(sin(r) - r) / r**3 in powers of r**2, |r| <= pi/4.",
"COS":"(cos(r) - 1 + r**2/2) / r**4 in powers of r**2, |r| <= pi/4.",
"ERF_SMALL":"erf(x)/x - 1 in powers of x**2, |x| <= ERF_BOUNDARY.",
"ERF_LARGE":"-log(erfc(x))/x - 1 in powers of x, from ERF_BOUNDARY to where erf(x) rounds to 1.",
"ERFC_LARGE":"(a + ERFC_SHIFT) exp(a**2) erfc(a) / ERFC_SCALE - 1 in powers of (a - pole)/(a + pole).",
}
out=['"""Polynomial coefficients of the elementary functions, lowest power first, by width in bits.',
'',"Every table is a weighted minimax fit made for this project by ``tools/fit_polynomials.py``.",
'"""','','from __future__ import annotations','','Table = dict[int, tuple[float, ...]]','',
'ERF_BOUNDARY = 0.9375','ERFC_BOUNDARY = 0.75',
'ERFC_SHIFT = 0.4375','ERFC_SCALE = 0.5625','ERFC_POLE = {64: 4.5, 32: 2.75}']
D={d:{f.name:F.remez(f)[0] for f in F.fits(d)} for d in (True,False)}
def lines(v):
    return [f'        float.fromhex("{x.hex()}"),' for x in v]
for n in doc:
    out+=['',f'# {doc[n]}',f'{n}: Table = {{']
    for d,w in ((True,64),(False,32)):
        out.append(f'    {w}: (')
        for c in D[d][n]:
            v=float(c) if d else struct.unpack('f',struct.pack('f',float(c)))[0]
            out.append(f'        {v!r},')
        out.append('    ),')
    out.append('}')
open('src/tracejit/cpu/vecmath_tables.py','w').write('\n'.join(out)+'\n')
