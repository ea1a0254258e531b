/**
 * What decides a split: letters (general category L), marks (M), numbers (N) and white space (White_Space) of Unicode 16.0, the
 * same on every runtime. A character that came with a later version counts as a symbol. Unicode 16.0 is that of Hugging Face's
 * tokenizers 0.23.
 */

export const SPACE = 0;
export const LETTER = 1;
export const NUMBER = 2;
export const SYMBOL = 3;
export const MARK = 4;

/**
 * Runs of characters of one class, from U+0000 on. A run is the number 4 · (length − 1) + (class − class before − 1) mod 5, its
 * digits the characters from % on but \: the first 64 end a number, the 25 others go before. The class before the first is 2.
 */
const RUNS =
  "E6l%&`L=s&:s&J&s&&G'>,%'.((&0%g&&n'&vl%2SZ7>'&'g%k46&+*3&':'&/&'&t%&v/&u8&=|<&q(*':}(Br)(%()()(%Dw&23~&M8l)x%K1+'j2&'?,9*+(1*I0*'c''i'w&,u0O&ZLw'G*2'*%,|%3&G&/&7m%o&/4O6k&&;BEg)k&(t'~*/&l%&?J+,L%d/(C*+*|%&?&'.3*%&?,),-&B%4+&/+,L,*<)'&%,-(;2+*|%&?&+&+&+*%(54),-0%@3&'>L*.'P-(G&/&|%&?&+&7*%&C(-(-,'_++,LE';(-(C*+*|%&?&+&7*%&?,),-@-4+&/+,L%'9I%&&;./&3.+&'&+.+./.S250-(1,':%]XU5B&/&g&&d*%&?(-(1@)(/*'*++,LA@%'/(C&/&g&&K&7*%&?(-(1@)<+&++,L%+'T1F&/&}(+&?(-(1&6/'?0+,q%%;&-(l%.k&&G&'*?.%49(%(A<L))Xg*'*?8?C(Ls(+&'&7&k&&'&K'*G&*7&'&=(L)3q''f&)<u%%%(%(%4)B&i(2r%()6O(g(H%s+l)t%&I9;32/&/*?.3VS&'K2,q(&'6'*l)&vW&3*?&'&3*}(&3*v'&3*?&'&3*`&r+&3*h-*-Hu%-dci0*;.tm&*h%(q&6o..0D>l%3Hp%/Pl%+TW&/&)Tw*r'0'2'',L9Lf%-(%K9u0>7+y''&6t-Jn'&Q4QLLk'*7Np)2s&:Pk(g&74{*K(}&,%K9LU'Bl'l*5{)h%B.Lf%ET-i'W*Iq)[Ti(t%DL-/Ij(*O6l)*/c-(v%2':'*/&6hAu,zN*;*q(*;*C&'&'&'&n'*{*&?&'./&?.3*;2W6/&?.Nf'*7&|)&d((*<5'I9Wr*t'i%'2'*K&'.7:'&'&'&3&O*3672'&t*,5q~&f,y.}%ho&k'pt)fG:3/*F()q(&'6'*n+>'_%f&F?&?&?&?&?&?&?&?&p'})'tm%&3+%m&H:(7*0,2i0*),/&y0&36l)&p1.4Ir'f*dq'Lh'D%ap'Ls(arUhsLt,rif(g-x)*pM.dI,s%|)3(I(n'+s-I*n(G*{2*h-*+&'&Cw%d'.'2'f&74%0<Iw*R)n*l%LL9j%:.'&+'K|&C,g&WTf'.1{)[]'I97'JI8&}([H/'B+,L9g&.'/n*'&/*+6+&'&j&/*O7,/+L;*;*;F?&?&l)&[:y4C(),L9|zj%Rg&2k*vpX}]*n3p(?R76''J&W&7&'&+&+&v3u'q]k%u,*f+x(S2bebv,7&~7o%L=s&:s&Nu0.;*;*;*/}'S&s&&p%&+&`*[y'g6Ru)Qs+f%,o4%k7f'.k*_%w&1r'1Et%%D%5q(78j'*i(2C&8f)v;*L9i(2i(2y(Bw*RO&`&?&+&O&`&?&+.w*RiTF|%JCj&;&h)&Go-;*'&p)&+.'*g&*Dh&*@o'BH~)p%&+68}%91s&s-n+2,,b)y)(/()812&/&f'*-4%G~%f')%f'-p'C&{&+48bf+J|%*Dq%6Dm%f&@h/g.i+s*Vs*><j(3DL9L|&.5(g&kEo'%h)&)0+c/i+1~&I(B|%O3u&l%3i)x%=r%g&F-z*`Pk'&*+&F1s)O@%Xo&>L9-h([(L1'+&B~'','F-f*[221()K(&'2u%Ml%&o&S<%*'n,?&'&3&`&K>|)S8L91(C*+*|%&?&+&7&)&?,),-,':%87+,=05PK&'*'&q(&'G(%,%(1(5&'&V)g'{*l%26L1%.i'g*t%*&'BL{<|)?,Eh&3+{'g*h%0'NLo(l)W&>L9u%y&w&*^4T1?}?p)`t2u,n%QC*'*C&+&k&;(),1&'&+TLr-C*u(?,=&&''x&'Kx(?&3D%D'Ow)d0'k%g.jBv'_L9G&m(C(A&_g'5j'*z%(Yh.?&+&q(;0%()(=&'DL9;&+&r'7()(5&>L|Sp%3H)&'V&z'?05XL&f0'_y%j)|k(v2j4f%xAhk3|1_|j)c%:`Lt|;6vg&|hNj'l%Kxp-p~%>n'&L9f/&L9j'*5Pg*?H3RL%@%x%6p%qh%t).L~Au,~%h3o.2%&j+@1Vt,+&''P)]iuIBql*|(K}r[3&?&+&}P_'~&/*'Z3Bxbuh1r36W.G>K.)xg=Ljv%v),~%iz%509DA,=k'1h:-h6u%Qu%t3p&|7~/&x-&+*'*+*3&S&'&?&y,&3*C&?&{&&3&7&'.?&yX*o&&o&&n'&o&&n'&o&&n'&o&&n'&o&&C*p*ku%h+4m*D%]%}%5(^gp)n':;pD=(f%,=()(58m,u'%n4t).=>*L1'wUj''i%p)3Krn%{&3KsDj'+&I|p%?&3&+&`&|A*H>~(l-?&2L{o'{+%0%4q.u)%anA3&w&&+&'*'&K&3&'&':'2'&'&'&/&+&'*'&'&'&'&'&+&'*3&?&3&3&'&K&h%6/&7&h%ig&Xkj4Lh}(txl-q'f}<:|E*mkGZgjR_|m&|h2hz%m~+u}A6hj=|kuu)wHnqsT";
const LAST_DIGITS = 64;
const FURTHER_DIGITS = 25;

const PLANE = 0x10000;
/** Class of each character of U+0000 to U+FFFF. */
const near = new Uint8Array(PLANE);
/** Of those beyond: where each run begins, and its class. */
const starts: number[] = [];
const classes: number[] = [];

let before = NUMBER;
let number = 0;
let scale = 1;
let point = 0;
for (let i = 0; i < RUNS.length; ++i) {
  const code = RUNS.charCodeAt(i);
  const digit = code - (code > 0x5c ? 0x26 : 0x25);
  number += digit * scale;
  scale *= FURTHER_DIGITS;
  if (digit >= LAST_DIGITS) continue;
  before = (before + (number % 4) + 1) % 5;
  const end = point + Math.floor(number / 4) + 1;
  near.fill(before, point, end);
  if (end > PLANE) {
    starts.push(point);
    classes.push(before);
  }
  point = end;
  number = 0;
  scale = 1;
}

/** The class of a character, U+0000 to U+10FFFF. */
export function classOf(point: number): number {
  if (point < PLANE) return near[point]!;
  let low = 0;
  for (let high = starts.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= point) low = middle;
    else high = middle;
  }
  return classes[low]!;
}
