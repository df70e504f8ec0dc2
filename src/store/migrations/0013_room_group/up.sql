-- The directory's group whose members are in the room beside those of room_member; NULL for none.
ALTER TABLE room ADD COLUMN directory_group TEXT;
