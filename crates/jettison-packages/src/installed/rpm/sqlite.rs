//! As much of SQLite's file format (sqlite.org, "Database File Format") as
//! reading the second column of one table takes: pages, table B-trees,
//! overflow chains. No indexes, no write-ahead log, nothing is written.

/// Pages that one walk may visit; hostile trees may be circular.
const DEPTH: usize = 20;

/// The blobs in the second column of a table, in the order of its rows.
pub(super) fn blobs(file: &[u8], table: &str, most: usize) -> Result<Vec<Vec<u8>>, &'static str> {
    let database = Database::open(file).ok_or("not an SQLite database")?;
    let mut root = None;
    database.walk(1, most, &mut |row| {
        // sqlite_schema: type, name, tbl_name, rootpage, sql
        if let Some(columns) = columns(row, 4)
            && columns[0].1 == b"table"
            && columns[1].1 == table.as_bytes()
        {
            root = integer(columns[3].1);
        }
    })?;
    let root = root.ok_or("it has no table of packages")?;
    let mut found = Vec::new();
    database.walk(root, most, &mut |row| {
        if let Some(columns) = columns(row, 2) {
            found.push(columns[1].1.to_vec());
        }
    })?;
    Ok(found)
}

struct Database<'a> {
    file: &'a [u8],
    page_bytes: usize,
    usable_bytes: usize,
}

impl<'a> Database<'a> {
    fn open(file: &'a [u8]) -> Option<Self> {
        if !file.starts_with(b"SQLite format 3\0") || file.len() < 512 {
            return None;
        }
        let page_bytes = match u16::from_be_bytes([file[16], file[17]]) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return None,
        };
        let usable_bytes = page_bytes.checked_sub(usize::from(file[20]))?;
        (usable_bytes >= 480).then_some(Self {
            file,
            page_bytes,
            usable_bytes,
        })
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_sub(1)?.checked_mul(self.page_bytes)?;
        self.file.get(start..start.checked_add(self.page_bytes)?)
    }

    /// Visits the payload of every row below a page. Every page is visited at
    /// most once, as in any tree, so a circle ends.
    fn walk(
        &self,
        root: usize,
        most: usize,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), &'static str> {
        let broken = "its pages are damaged";
        let mut seen = vec![false; self.file.len() / self.page_bytes + 1];
        let mut left = vec![(root, 0)];
        let mut rows = 0;
        while let Some((number, depth)) = left.pop() {
            let page = self.page(number).ok_or(broken)?;
            if depth > DEPTH || std::mem::replace(&mut seen[number], true) {
                return Err("its pages run in a circle");
            }
            // The first page begins with the file's header.
            let header = if number == 1 { 100 } else { 0 };
            let interior = match page[header] {
                0x05 => true,
                0x0d => false,
                _ => return Err(broken),
            };
            let cells = usize::from(u16::from_be_bytes([page[header + 3], page[header + 4]]));
            let pointers = header + if interior { 12 } else { 8 };
            let pointer = |cell: usize| {
                let at = pointers + cell * 2;
                Some(usize::from(u16::from_be_bytes([
                    *page.get(at)?,
                    *page.get(at + 1)?,
                ])))
            };
            if interior {
                // Last first, so that rows come in their order.
                let right = big_endian(&page[header + 8..header + 12]).ok_or(broken)?;
                left.push((right, depth + 1));
                for cell in (0..cells).rev() {
                    let at = pointer(cell).ok_or(broken)?;
                    let child = page.get(at..at + 4).and_then(big_endian).ok_or(broken)?;
                    left.push((child, depth + 1));
                }
                continue;
            }
            for cell in 0..cells {
                let at = pointer(cell).ok_or(broken)?;
                let payload = self.payload(page.get(at..).ok_or(broken)?).ok_or(broken)?;
                visit(&payload);
                rows += 1;
                if rows > most {
                    return Err("it has too many rows");
                }
            }
        }
        Ok(())
    }

    /// The payload of a leaf cell, its overflow pages included.
    fn payload(&self, cell: &[u8]) -> Option<Vec<u8>> {
        let (length, cell) = varint(cell)?;
        let (_row, cell) = varint(cell)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= self.file.len())?;
        // "Cell payload overflow": X, M and K of the specification.
        let most = self.usable_bytes - 35;
        if length <= most {
            return Some(cell.get(..length)?.to_vec());
        }
        let least = (self.usable_bytes - 12) * 32 / 255 - 23;
        let even = least + (length - least) % (self.usable_bytes - 4);
        let local = if even <= most { even } else { least };
        let mut payload = cell.get(..local)?.to_vec();
        let mut next = big_endian(cell.get(local..local + 4)?)?;
        while payload.len() < length {
            let page = self.page(next)?;
            next = big_endian(page.get(..4)?)?;
            let count = (length - payload.len()).min(self.usable_bytes - 4);
            payload.extend_from_slice(page.get(4..4 + count)?);
        }
        Some(payload)
    }
}

/// The first columns of a record as (serial type, bytes).
fn columns(record: &[u8], wanted: usize) -> Option<Vec<(u64, &[u8])>> {
    let (header_bytes, rest) = varint(record)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let mut types = rest.get(..header_bytes.checked_sub(record.len() - rest.len())?)?;
    let mut body = record.get(header_bytes..)?;
    let mut found = Vec::with_capacity(wanted);
    while found.len() < wanted {
        let (kind, others) = varint(types)?;
        types = others;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let (column, others) = body.split_at_checked(length)?;
        found.push((kind, column));
        body = others;
    }
    Some(found)
}

fn integer(bytes: &[u8]) -> Option<usize> {
    (1..=4).contains(&bytes.len()).then_some(())?;
    Some(
        bytes
            .iter()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
    )
}

fn big_endian(bytes: &[u8]) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
}

/// A number of one to nine bytes, seven bits each and eight in the ninth.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((value << 8 | u64::from(byte), &bytes[9..]));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}
