// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "./RoleBound.sol";
import {NOTICE, NOTICE_EXPIRY} from "./Types.sol";

/// @title Timelocked
/// @notice Base of contracts with settings that OWNER announces: in force by anyone's call from 48 hours to 14 days
///         later, unless OWNER or GUARDIAN cancels it before.
abstract contract Timelocked is RoleBound {
    struct Announcement {
        uint64 announcedAt;
        bytes data;
    }

    mapping(bytes32 subject => Announcement) private _announcements;

    event Announced(bytes32 indexed subject, bytes data, uint256 notBefore, uint256 notAfter);
    event Executed(bytes32 indexed subject, bytes data);
    event AnnouncementCancelled(bytes32 indexed subject, address indexed by);

    error NothingAnnounced(bytes32 subject);
    error TooEarly(uint256 notBefore);
    error TooLate(uint256 notAfter);

    /// @notice Brings what is announced under a subject into force.
    function execute(bytes32 subject) external {
        _execute(subject);
    }

    /// @notice Takes an announcement back.
    function cancel(bytes32 subject) external onlyGuardianOrOwner {
        if (_announcements[subject].announcedAt == 0) revert NothingAnnounced(subject);
        delete _announcements[subject];
        emit AnnouncementCancelled(subject, msg.sender);
    }

    /// @notice What is announced under a subject (its new value, ABI-encoded) and when it can come into force (unix
    ///         seconds); empty if nothing is.
    function announcementOf(bytes32 subject)
        public
        view
        returns (bytes memory data, uint256 notBefore, uint256 notAfter)
    {
        Announcement storage announced = _announcements[subject];
        uint256 since = announced.announcedAt;
        if (since != 0) (data, notBefore, notAfter) = (announced.data, since + NOTICE, since + NOTICE_EXPIRY);
    }

    /// @dev A new announcement of the same subject replaces the old one and starts its time anew.
    function _announce(bytes32 subject, bytes memory data) internal {
        _announcements[subject] = Announcement(uint64(block.timestamp), data);
        emit Announced(subject, data, block.timestamp + NOTICE, block.timestamp + NOTICE_EXPIRY);
    }

    function _execute(bytes32 subject) internal {
        (bytes memory data, uint256 notBefore, uint256 notAfter) = announcementOf(subject);
        if (notBefore == 0) revert NothingAnnounced(subject);
        if (block.timestamp < notBefore) revert TooEarly(notBefore);
        if (block.timestamp > notAfter) revert TooLate(notAfter);
        delete _announcements[subject];
        emit Executed(subject, data);
        _apply(subject, data);
    }

    /// @dev Carries out what was announced. Checks again what may have changed since.
    function _apply(bytes32 subject, bytes memory data) internal virtual;
}
