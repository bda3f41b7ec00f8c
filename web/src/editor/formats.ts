/**
 * Quill with the formats that quire's documents have. What the toolbar offers is less: colours, sizes and the like
 * come from other programs and are shown as they are.
 */
import "quill/dist/quill.core.css";
import Quill from "quill/core.js";
import { AlignClass } from "quill/formats/align.js";
import { BackgroundStyle } from "quill/formats/background.js";
import Blockquote from "quill/formats/blockquote.js";
import Bold from "quill/formats/bold.js";
import CodeBlock, { Code } from "quill/formats/code.js";
import { ColorStyle } from "quill/formats/color.js";
import { DirectionClass } from "quill/formats/direction.js";
import { FontClass } from "quill/formats/font.js";
import Header from "quill/formats/header.js";
import Image from "quill/formats/image.js";
import Indent from "quill/formats/indent.js";
import Italic from "quill/formats/italic.js";
import Link from "quill/formats/link.js";
import List from "quill/formats/list.js";
import Script from "quill/formats/script.js";
import { SizeClass } from "quill/formats/size.js";
import Strike from "quill/formats/strike.js";
import Underline from "quill/formats/underline.js";

Quill.register(
  {
    "formats/align": AlignClass,
    "formats/background": BackgroundStyle,
    "formats/blockquote": Blockquote,
    "formats/bold": Bold,
    "formats/code": Code,
    "formats/code-block": CodeBlock,
    "formats/color": ColorStyle,
    "formats/direction": DirectionClass,
    "formats/font": FontClass,
    "formats/header": Header,
    "formats/image": Image,
    "formats/indent": Indent,
    "formats/italic": Italic,
    "formats/link": Link,
    "formats/list": List,
    "formats/script": Script,
    "formats/size": SizeClass,
    "formats/strike": Strike,
    "formats/underline": Underline,
  },
  true,
);

export default Quill;
